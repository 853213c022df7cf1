import API
import Base
import Crypto
import Domain
import HTTP
import Net
import Runtime
import Storage

/// Eta put together: what the features stand on, and which feature answers which endpoint.
public final class Registry: Sendable {
    /// What an operator set.
    public let settings: EtaSettings
    /// The outside.
    public let ambient: Ambient
    /// Who this node is.
    public let node: Node
    /// Everything but files.
    public let database: Database
    /// Files by their hash.
    public let files: FileStore
    /// How every Reil is told of what changed.
    public let pushes: Pushes
    /// The Ins that are linked.
    public let roster: InsRoster
    /// Which users have a live socket.
    public let presence: Presence
    /// Which queues are not what those in them were told.
    public let queueNotices = QueueNotices()
    /// The node as the world sees it.
    public let record: ServerRecord
    /// The links of the Reil.
    let watch: LinkWatch
    /// Hashes passwords and compares them.
    public let passwords: Passwords
    /// Compares passwords as often as failures are allowed.
    let passwordCheck: PasswordCheck
    /// Makes and reads access tokens.
    let tokens: AccessTokens
    /// Ends logins.
    let ending: SessionEnding
    /// Our own tokens at other nodes.
    let peerTokens = PeerTokens()
    /// With whom there are dealings.
    let rules: RuleBook
    /// What is done again and again.
    let sweeper: Sweeper
    private let lock: DataFolderLock

    /// Opens the data folder, and makes in it what is missing.
    public init(
        _ settings: EtaSettings, on group: EventLoopGroup, disk: any DiskSpace = SystemDisk()
    ) async throws {
        let ambient = group.ambient
        self.settings = settings
        self.ambient = ambient
        lock = try DataFolder.lock(settings)
        try DataFolder.finishRestoring(settings, ambient)
        let keys = try NodeKeys.open(settings, ambient)
        database = try DataFolder.database(settings, ambient)
        files = try DataFolder.files(settings, ambient, disk: disk)
        let profile: NodeProfile
        (node, profile) = try await NodeStore.open(database, settings, keys, ambient)
        try await InsStore.makeLocal(database, settings, ambient)
        pushes = Pushes(ambient: ambient, on: group.loops[0])
        roster = InsRoster()
        presence = Presence(home: node.address)
        record = ServerRecord(node, profile, database)
        watch = LinkWatch(
            ambient, pushes: pushes, roster: roster, presence: presence, node: node,
            record: record, database: database,
            mode: settings.rules.mode, resumeWindow: settings.resumeWindow,
            on: group.loops[0])
        passwords = Passwords(
            logN: settings.logN, threads: group.loops.count,
            metrics: ambient.metrics)
        let guarding = LoginGuard(
            pair: settings.loginRate, account: settings.accountLoginRate, clock: ambient.clock)
        passwordCheck = PasswordCheck(
            database: database, passwords: passwords, guarding: guarding)
        tokens = AccessTokens(node)
        ending = SessionEnding(pushes: pushes)
        rules = try RuleBook(
            database, mode: settings.rules.mode, pushes: pushes, tokens: peerTokens)
        sweeper = Sweeper(ambient, on: group.loops[0])
        _ = try await record.count()
        scheduleSweeps(guarding)
    }

    /// The endpoints of this role, each bound to the feature that answers it.
    public func makeRouter() -> Router {
        let gate = Gate([
            StatementCheck(key: node.keys.cluster, clock: ambient.clock), AuthoriseCheck(),
        ])
        var router = Router(gate: gate, ambient: ambient)
        bindSessions(&router)
        bindUsers(&router)
        bindImages(&router)
        bindWorlds(&router)
        bindAssets(&router)
        bindInstances(&router)
        bindChallenges(&router)
        bindIntegrity(&router)
        bindDeliveries(&router)
        bindNodes(&router)
        bindModeration(&router)
        bindServices(&router)
        router.bindAliases()
        bindLink(&router)
        let missing = router.missing(of: Self.endpoints)
        ambient.log.info("gate", .text("checks", gate.names.joined(separator: ", ")))
        precondition(missing.isEmpty, "endpoints without a method: \(missing)")
        return router
    }

    /// What is done again and again, besides what features add to it.
    private func scheduleSweeps(_ guarding: LoginGuard) {
        let (database, ambient, record) = (database, ambient, record)
        let (pushes, ending) = (pushes, ending)
        sweeper.every(.seconds(30), "expired rows") { () async throws(APIError) in
            let now = ambient.clock.timestamp()
            try await database.write { (transaction) throws(APIError) in
                // Sockets, and what was granted abroad, live as long as their session.
                try ending.sweep(now: now, transaction)
                try IntegrityStore.sweep(now: now, transaction)
                try PeerStore.sweep(now: now, transaction)
                try ChallengeStore.sweep(before: now - .seconds(24 * 3_600), transaction)
                // Shown a while longer to the operator who wonders.
                try InviteStore.sweep(before: now - .seconds(30 * 24 * 3_600), transaction)
            }
            guarding.forget()
        }
        sweeper.every(.seconds(5), "figures") { () async throws(APIError) in
            if try await record.count() { pushes.announce(.server(record.server)) }
        }
        let outside = OutsideChanges(self)
        sweeper.every(.seconds(1), "changes from outside") { () async throws(APIError) in
            try await outside.publish()
        }
    }

    /// What this role has to answer.
    static var endpoints: [EndpointFacts] {
        AllEndpoints.all.filter { $0.servedBy == .eta } + RegistryAPI.all + OperatorAPI.all
    }
}
