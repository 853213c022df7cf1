import API
import Base
import Crypto
import Domain
import HTTP
import Net
import Runtime

/// Keeps one link to every Reil of the node: dials those that are configured, and those that they
/// tell of, and dials again when a link breaks.
final class LinkDialer: Component {
    let name = "reil links"
    private let settings: InsSettings
    private let credential: Secret
    private let host: InstanceHost
    private let loop: EventLoop
    private let client: HTTPClient
    private let ambient: Ambient
    /// The Reil that the settings name.
    private let configured: Set<Target>
    private let state = Lock(State())

    /// A Reil, as it is dialled.
    private struct Target: Hashable {
        let reil: HostAndPort
        let secure: Bool
    }

    private struct State {
        var links: [Target: Link] = [:]
        /// What the settings name, and what a Reil told last: who is in neither is given up.
        var wanted: Set<Target> = []
        /// Told, and not dialled yet.
        var learnt: Set<Target> = []
        var kept: Set<Target> = []
        var waiting: [CheckedContinuation<Void, Never>] = []
        var isStopping = false
        var refusal: Fault?
    }

    init(
        _ settings: InsSettings, credential: Secret, host: InstanceHost, loop: EventLoop,
        client: HTTPClient, ambient: Ambient
    ) {
        self.settings = settings
        self.credential = credential
        self.host = host
        self.loop = loop
        self.client = client
        self.ambient = ambient
        configured = Set(settings.reil.map { Target(reil: $0, secure: settings.secure) })
        state.withLock { state in
            state.learnt = configured
            state.wanted = configured
        }
    }

    /// Whether a Reil is linked now.
    var isLinked: Bool { state.withLock { !$0.links.isEmpty } }

    /// Waits until one of the configured Reil is linked.
    func start() async throws {
        var delay = Duration.milliseconds(20)
        var told: Instant?
        let targets = state.withLock { Array($0.learnt) }
        while !state.withLock({ $0.isStopping }) {
            for target in targets where !isLinked { await dial(target) }
            if isLinked { return }
            if let refusal = state.withLock({ $0.refusal }) { throw refusal }
            let now = ambient.clock.now()
            if told.map({ now - $0 > .seconds(10) }) ?? true {
                let names = settings.reil.map(\.description).joined(separator: ", ")
                ambient.log.notice("waiting", .text("for", "reil at \(names)"))
                told = now
            }
            await loop.pause(for: delay)
            delay = min(delay * 2, .seconds(1))
        }
    }

    func run() async throws {
        await withDiscardingTaskGroup { group in
            while !state.withLock({ $0.isStopping }) {
                let fresh = state.withLock { state in
                    let fresh = state.learnt.subtracting(state.kept)
                    state.kept.formUnion(fresh)
                    state.learnt = []
                    return fresh
                }
                for target in fresh { group.addTask { await self.keep(target) } }
                await news()
            }
        }
    }

    func stop() async {
        let (links, waiting) = state.withLock { state in
            state.isStopping = true
            defer { state.waiting = [] }
            return (Array(state.links.values), state.waiting)
        }
        loop.execute { for link in links { link.close() } }
        for continuation in waiting { continuation.resume() }
    }

    /// Holds a link to one Reil as long as it is wanted.
    private func keep(_ target: Target) async {
        var delay = Duration.milliseconds(20)
        while !state.withLock({ $0.isStopping }) {
            if let link = state.withLock({ $0.links[target] }) {
                await link.ended()
                delay = .milliseconds(20)
                if link.isReplaced { await otherLinksEnd() }
                continue
            }
            let isWanted = state.withLock { state in
                if state.wanted.contains(target) { return true }
                state.kept.remove(target)
                return false
            }
            if !isWanted {
                ambient.log.notice("reil given up", .text("reil", "\(target.reil)"))
                return
            }
            await dial(target)
            if state.withLock({ $0.links[target] == nil }) {
                await loop.pause(for: delay)
                delay = min(delay * 2, .seconds(1))
            }
        }
    }

    /// A Reil that is reached under two spellings of its address keeps the newer of two links: the
    /// older one is not dialled again while there is another, or they would end each other for ever.
    private func otherLinksEnd() async {
        while state.withLock({ !$0.isStopping && !$0.links.isEmpty }) {
            await loop.pause(for: .seconds(1))
        }
    }

    private func dial(_ target: Target) async {
        var fields = Fields()
        fields.append(.authorization, Array("Bearer ".utf8) + credential.reveal())
        let request = ClientRequest(
            .get, secure: target.secure, host: target.reil.host, port: target.reil.port,
            target: Array(ServerAPI.SocketPath.template.utf8), fields: fields,
            deadlines: Deadlines(whole: nil))
        let link = Link(host: host, ambient: ambient, settings: settings) { learnt in
            self.learn(learnt)
        }
        do throws(ClientError) {
            _ = try await WebSocketClient.connect(
                request, subprotocols: [LinkProtocol.ins.name], limits: LinkProtocol.ins.limits,
                client: client, on: loop
            ) { sink in
                link.opened(sink)
                return link
            }
        } catch {
            if case .upgradeRefused(let status) = error, status == .unauthorized {
                let fault = Fault(
                    "\(target.reil) does not know this credential",
                    remedy: "set ins.credential to the file that `eta ins add` made for this node")
                state.withLock { $0.refusal = fault }
                ambient.log.error("reil refuses the credential", .text("reil", "\(target.reil)"))
            } else if case .tls(let problem) = error {
                ambient.log.error(
                    "no TLS with reil", .text("reil", "\(target.reil)"), .reason(problem.text))
            } else {
                ambient.log.debug("no link to reil", .reason("\(error)"))
            }
            return
        }
        state.withLock { $0.links[target] = link }
        ambient.log.notice("linked to reil", .text("reil", "\(target.reil)"))
        link.whenOver { [self] in
            state.withLock { state in
                if state.links[target] === link { state.links[target] = nil }
            }
            ambient.log.warning("the link to reil is gone", .text("reil", "\(target.reil)"))
        }
    }

    private func learn(_ links: [Gateway]) {
        let targets = links.compactMap { link in
            HostAndPort(link.address.authority(secure: link.secure))
                .map { Target(reil: $0, secure: link.secure) }
        }
        let waiting = state.withLock { state in
            state.wanted = configured.union(targets)
            state.learnt = state.wanted.subtracting(state.kept)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func news() async {
        await withCheckedContinuation { continuation in
            let isNow = state.withLock { state in
                if state.isStopping || !state.learnt.isEmpty { return true }
                state.waiting.append(continuation)
                return false
            }
            if isNow { continuation.resume() }
        }
    }
}
