import API
import Base
import Crypto
import Domain
import Runtime
import Storage

/// The registry links as the process sees them: who comes, what a Reil says, who is given up.
final class LinkWatch: Component {
    private struct Report: Sendable {
        var seats: [SeatReport]
        var linkedAt: Timestamp
    }
    private struct State {
        var observer: (any LinkObserver)?
        /// What each run of a Reil has said last, until it is compared.
        var reports: [String: Report] = [:]
        /// When the seats of runs that nobody knows are given up: of those from before this start,
        /// and those that could not be at their time.
        var release: Instant?
    }

    let name = "registry links"
    let ambient: Ambient
    let pushes: Pushes
    let roster: InsRoster
    let presence: Presence
    let node: Node
    private let record: ServerRecord
    private let database: Database
    private let mode: FederationMode
    private let resumeWindow: Duration
    private let loop: any LoopExecutor
    private let stopped = Lock(false)
    private let state = Lock(State())

    /// How finely the time is looked at.
    private static let turn: Duration = .milliseconds(100)
    /// When what could not be done is tried again.
    private static let retry: Duration = .seconds(1)
    /// How long an Ins whose link closed may take to come back, socket.md §6.
    private static let insWindow: Duration = .milliseconds(500)

    init(
        _ ambient: Ambient, pushes: Pushes, roster: InsRoster, presence: Presence, node: Node,
        record: ServerRecord, database: Database, mode: FederationMode, resumeWindow: Duration,
        on loop: any LoopExecutor
    ) {
        self.ambient = ambient
        self.pushes = pushes
        self.roster = roster
        self.presence = presence
        self.node = node
        self.record = record
        self.database = database
        self.mode = mode
        self.resumeWindow = resumeWindow
        self.loop = loop
    }

    /// Names who keeps instances and players; before `start`.
    func observe(_ observer: any LinkObserver) { state.withLock { $0.observer = observer } }

    func start() async throws {
        let deadline = ambient.clock.now() + resumeWindow
        let observer = state.withLock { state in
            state.release = deadline
            return state.observer
        }
        do throws(APIError) {
            for hosting in try observer?.hostings() ?? [] {
                roster.expect(hosting.ins, deadline: deadline)
            }
        } catch { throw Fault(error.context, remedy: "see what is wrong with the database") }
    }

    func run() async {
        while !stopped.withLock({ $0 }) {
            await loop.pause(for: Self.turn)
            await look()
        }
    }

    func stop() async {
        stopped.withLock { $0 = true }
        pushes.endAll()
    }

    func welcome(gateways: [Gateway], links: [Gateway]) throws(APIError) -> Welcome {
        let signing = SigningKey(
            seed: Hex.encode(node.keys.signing.seed.reveal()), createdAt: node.createdAt,
            expiresAt: node.createdAt + Self.keyLifetime)
        let (services, rules) = try database.read { (reader) throws(APIError) in
            (
                try ServiceStore.all(reader).map { ServiceRoute($0.service(node)) },
                try RuleBook.read(mode, reader)
            )
        }
        return Welcome(
            server: record.server,
            accessKeys: [node.keys.accessID: Hex.encode(node.keys.access.reveal())],
            signingKeys: [signing], gateways: gateways, links: links,
            leaseMilliseconds: LeaseLedger.lease.milliseconds,
            hostings: try state.withLock({ $0.observer })?.hostings() ?? [], services: services,
            rules: rules)
    }

    /// A key that is not rotated does not end; the discovery document has to name some end.
    private static let keyLifetime: Duration = .seconds(100 * 365 * 24 * 3_600)

    func insLost(_ credential: String, by run: String) {
        roster.lost(credential, by: run, deadline: ambient.clock.now() + Self.insWindow)
    }

    func seatsReported(_ seats: [SeatReport], by run: String) {
        let report = Report(seats: seats, linkedAt: ambient.clock.timestamp())
        state.withLock { $0.reports[run] = report }
    }

    /// A Reil links, perhaps again: what it has of Ins it says anew.
    func joined(_ run: String) {
        roster.lost(allOf: run, deadline: ambient.clock.now() + resumeWindow)
    }

    /// A link is over. Its Reil may be back, and an Ins that only it had may live all the same.
    func left(_ number: Int, _ run: String) {
        presence.ended(number)
        let deadline = ambient.clock.now() + resumeWindow
        guard pushes.leave(number, deadline: deadline) else { return }
        ambient.log.warning("reil gone", .text("run", run))
        roster.lost(allOf: run, deadline: deadline)
    }

    /// Does what is due; what fails stays due.
    func look() async {
        let now = ambient.clock.now()
        pushes.expire()
        if pushes.takeGone(now: now) { releaseSeats(at: now) }
        let (observer, reports, isReleaseDue) = state.withLock { state in
            defer { state.reports = [:] }
            let isDue = state.release.map { $0 <= now } ?? false
            if isDue { state.release = nil }
            return (state.observer, state.reports, isDue)
        }
        guard let observer else { return }
        for (run, report) in reports {
            let isDone = await attempt("seats reported") { () async throws(APIError) in
                try await observer.seatsReported(report.seats, by: run, before: report.linkedAt)
            }
            // Unless the run has said more since.
            if !isDone { state.withLock { $0.reports[run] = $0.reports[run] ?? report } }
        }
        for ins in roster.takeLost(now: now) {
            ambient.log.warning("ins lost", .text("ins", ins))
            let isDone = await attempt("ins lost") { () async throws(APIError) in
                try await observer.insLost(ins)
            }
            if !isDone { roster.expect(ins, deadline: now + Self.retry) }
        }
        if isReleaseDue {
            let runs = pushes.runs
            let isDone = await attempt("seats released") { () async throws(APIError) in
                try await observer.releaseSeats(except: runs)
            }
            if !isDone { releaseSeats(at: now + Self.retry) }
        }
    }

    private func releaseSeats(at due: Instant) {
        state.withLock { $0.release = min($0.release ?? due, due) }
    }

    /// Whether it was done.
    private func attempt(
        _ what: String, _ work: () async throws(APIError) -> Void
    ) async -> Bool {
        do throws(APIError) {
            try await work()
            return true
        } catch {
            ambient.log.error("not done", .text("what", what), .reason(error.context))
            return false
        }
    }
}
