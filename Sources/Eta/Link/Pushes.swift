import API
import Base
import Domain

/// What every Reil of the node is told.
///
/// An act of writing tells on its commit (`Transaction.onCommit`), so that what is told last is true
/// last. Who needs that it has taken effect, since it takes rights away or is read through another
/// Reil next, waits for ``settled()`` before the answer.
///
/// A frame is encoded once and put into the outbox of each link under one lock, so that all Reil
/// hear of everything in one order; each link's own loop sends from there.
public final class Pushes: Sendable {
    struct LinkState {
        var link: ReilLink
        var hello: ReilHello
        /// Frames that wait: for the welcome, then for the link's loop.
        var outbox: [[UInt8]] = []
        var isWelcomed = false
    }
    private struct State {
        var links: [Int: LinkState] = [:]
        var ledger: LeaseLedger
        var waiting: [Int64: CheckedContinuation<Void, Never>] = [:]
        /// Runs whose link is gone, and until when they may come back.
        var gone: [String: Instant] = [:]
        var lastLink = 0
    }

    private let ambient: Ambient
    private let loop: any LoopExecutor
    private let state: Lock<State>

    /// Nobody is linked yet; `loop` keeps the time of leases.
    public init(ambient: Ambient, on loop: any LoopExecutor) {
        self.ambient = ambient
        self.loop = loop
        state = Lock(State(ledger: LeaseLedger(startedAt: ambient.clock.now())))
    }

    // MARK: What is told

    /// An object is not what it was.
    public func announce(_ change: ObjectChange) { send(.changed(change)) }

    /// With whom there are dealings is not what it was.
    func tell(_ rules: RuleSet) { send(.rules(rules)) }

    /// Something counts no more.
    public func revoke(_ revocation: Revocation) { send(.revoke(revocation)) }

    /// An instance is hosted by that Ins from now on.
    public func host(_ hosting: Hosting) { send(.host(hosting)) }

    /// An instance is over.
    public func close(_ instance: InstanceID) { send(.close(instance)) }

    /// A player's seat is gone by Eta's own decision.
    public func dismiss(_ player: PlayerID, from instance: InstanceID, _ type: LeaveType) {
        send(.dismissed(instance: instance, player: player, type: type))
    }

    /// What players of an instance say is dropped from now on, or no more.
    func setMuted(_ players: [PlayerID], in instance: InstanceID, _ isMuted: Bool) {
        send(.muted(instance: instance, players: players, isMuted: isMuted))
    }

    /// Some people are told of something in an instance, whether they are in it or not.
    func tell(
        _ event: SocketEvent, of instance: InstanceID, to people: [UserReference],
        _ data: some Encodable
    ) {
        send(.tell(Telling(event, of: instance, to: people, JSONCoder.value(data))))
    }

    /// Some people are told of something that is of no instance here.
    func tell(_ event: SocketEvent, to people: [UserReference], _ data: some Encodable) {
        send(.tell(Telling(event, to: people, JSONCoder.value(data))))
    }

    /// Who waits for an instance is told that it is over.
    func tellEnd(of instance: InstanceID, to people: [UserReference]) {
        let data: JSONValue = .object(["id": .string(instance.text), "deleted": .boolean(true)])
        send(.tell(Telling(.updateInstance, to: people, unasked: true, data)))
    }

    /// Who waits for an instance is told how the queue stands; the next one first.
    func tellQueue(of instance: InstanceID, _ waiting: [UserReference]) {
        send(.queue(QueueReport(instance: instance, waiting: waiting)))
    }

    /// Nothing is known of that node any more.
    public func forget(_ address: ServerAddress) { send(.forget(address)) }

    /// A token of one of our users abroad is to be revoked there.
    public func endAbroad(_ integrity: IntegrityID, at server: ServerAddress) {
        sendToOne(.endAbroad(server: server, integrity: integrity))
    }

    /// A node is to be told what waits for it, or that this one is there.
    func deliver(to server: ServerAddress, knock: Bool) {
        sendToOne(.deliver(server: server, knock: knock))
    }

    /// Services are to be asked whether they are there.
    func look(at services: [ServiceTarget]) { sendToOne(.look(at: services)) }

    /// For what one Reil does for all: the first that there is.
    private func sendToOne(_ push: RegistryPush) {
        let frame = JSONCoder.encode(push)
        let link = state.withLock { state -> ReilLink? in
            guard let first = state.links.keys.min() else { return nil }
            state.links[first]?.outbox.append(frame)
            return state.links[first]?.link
        }
        link?.flush()
    }

    /// The wall clock of a node under test was moved.
    func setClock(offsetMilliseconds: Int64) {
        send(.clock(offsetMilliseconds: offsetMilliseconds))
    }

    private func send(_ push: RegistryPush) {
        let frame = JSONCoder.encode(push)
        flush(state.withLock { Self.enqueue(frame, &$0) })
    }

    /// Comes back once all that was told so far has taken effect at every Reil, or the Reil has
    /// lost its lease.
    public func settled() async {
        await withCheckedContinuation { continuation in
            let now = ambient.clock.now()
            let (links, deadline) = state.withLock { state -> ([ReilLink], Instant?) in
                let (sequence, deadline) = state.ledger.mark(now: now)
                if deadline != nil { state.waiting[sequence] = continuation }
                let frame = JSONCoder.encode(RegistryPush.mark(sequence: sequence))
                return (Self.enqueue(frame, &state), deadline)
            }
            flush(links)
            guard let deadline else { return continuation.resume() }
            loop.execute {
                _ = self.loop.schedule(after: deadline - now) { self.expire() }
            }
        }
    }

    private static func enqueue(_ frame: [UInt8], _ state: inout State) -> [ReilLink] {
        for number in state.links.keys { state.links[number]?.outbox.append(frame) }
        return state.links.values.map(\.link)
    }

    private func flush(_ links: [ReilLink]) { for link in links { link.flush() } }

    /// Lets go whoever waits for leases that are over.
    func expire() {
        let now = ambient.clock.now()
        let free = state.withLock { state in
            state.ledger.expire(now: now).compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for continuation in free { continuation.resume() }
    }

    // MARK: Links

    /// All links, by number.
    private func reils(_ state: State) -> RegistryPush {
        let hellos = state.links.sorted { $0.key < $1.key }.map(\.value.hello)
        return .reils(gateways: hellos.compactMap(\.gateway), links: hellos.compactMap(\.link))
    }

    /// A Reil has said who it is. From here on pushes wait for it; they leave behind its welcome.
    /// A link of the same run from before is over. Returns the link's number, and where all Reil
    /// are now.
    func join(_ link: ReilLink, _ hello: ReilHello) -> (
        number: Int, gateways: [Gateway], links: [Gateway]
    ) {
        let (number, hellos, older) = state.withLock { state -> (Int, [ReilHello], [ReilLink]) in
            let older = state.links.filter { $1.hello.run == hello.run }
            for number in older.keys { state.links[number] = nil }
            state.gone[hello.run] = nil
            state.lastLink += 1
            state.links[state.lastLink] = LinkState(link: link, hello: hello)
            let hellos = state.links.sorted { $0.key < $1.key }.map(\.value.hello)
            return (state.lastLink, hellos, older.values.map(\.link))
        }
        for link in older { link.end() }
        return (number, hellos.compactMap(\.gateway), hellos.compactMap(\.link))
    }

    /// The welcome of a link was sent: what waited for it may leave.
    func welcomed(_ number: Int) {
        let others = state.withLock { state -> [ReilLink] in
            state.links[number]?.isWelcomed = true
            let frame = JSONCoder.encode(reils(state))
            for other in state.links.keys where other != number {
                state.links[other]?.outbox.append(frame)
            }
            return state.links.values.map(\.link)
        }
        flush(others)
    }

    /// A link is over; its Reil may come back until `deadline`. Whether it was the run's own.
    func leave(_ number: Int, deadline: Instant) -> Bool {
        let others = state.withLock { state -> [ReilLink]? in
            guard let left = state.links.removeValue(forKey: number) else { return nil }
            state.gone[left.hello.run] = deadline
            return Self.enqueue(JSONCoder.encode(reils(state)), &state)
        }
        flush(others ?? [])
        return others != nil
    }

    /// A renewal: the answer goes behind all that was pushed before.
    func renew(_ number: Int, renewal: Int64) {
        let frame = JSONCoder.encode(RegistryPush.leased(number: renewal))
        let now = ambient.clock.now()
        let link = state.withLock { state -> ReilLink? in
            guard state.links[number] != nil else { return nil }
            state.ledger.renew(number, now: now)
            state.links[number]?.outbox.append(frame)
            return state.links[number]?.link
        }
        link?.flush()
    }

    /// A Reil has come to a mark.
    func acknowledge(_ sequence: Int64, by number: Int) {
        let free = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.ledger.acknowledge(sequence, by: number) else { return nil }
            return state.waiting.removeValue(forKey: sequence)
        }
        free?.resume()
    }

    /// What a link is to send now.
    func takeOutbox(_ number: Int) -> [[UInt8]] {
        state.withLock { state in
            guard let link = state.links[number], link.isWelcomed, !link.outbox.isEmpty else {
                return []
            }
            state.links[number]?.outbox = []
            return link.outbox
        }
    }

    /// Whether a run is gone that may not come back any more; it is told once.
    func takeGone(now: Instant) -> Bool {
        state.withLock { state in
            let given = state.gone.filter { $1 <= now }
            for run in given.keys { state.gone[run] = nil }
            return !given.isEmpty
        }
    }

    /// Where clients reach the Reil of that run, where it says so.
    func gateway(of run: String) -> Gateway? {
        state.withLock { $0.links.values.first { $0.hello.run == run }?.hello.gateway }
    }

    /// The runs that are linked or may come back.
    var runs: [String] {
        state.withLock { ($0.links.values.map(\.hello.run) + $0.gone.keys).sorted() }
    }

    /// Closes every link, for the end of the process.
    func endAll() {
        for link in state.withLock({ $0.links.values.map(\.link) }) { link.end() }
    }
}
