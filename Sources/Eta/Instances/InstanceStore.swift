import Base
import Domain
import Storage

/// An instance as it is kept, with what follows from its players.
struct InstanceRow: RowDecodable, Sendable {
    /// The owner is master while present, else who has been there longest; bots only where there is
    /// nobody else.
    static let columns: SQL = """
        id, name, title, description, world, world_version, owner, moderators, capacity, tags, ins,
        epoch, created_at, updated_at,
        (SELECT count(*) FROM player WHERE instance_id = instance.id) AS connected,
        (SELECT count(*) FROM waiting WHERE instance_id = instance.id) AS queued,
        \(master) AS master
        """

    /// The player who is master of a row of `instance`.
    static let master: SQL = """
        coalesce(
            (SELECT id FROM player WHERE user = instance.owner AND instance_id = instance.id
                ORDER BY joined_at, id LIMIT 1),
            (SELECT id FROM player WHERE instance_id = instance.id AND kind <> 'bot'
                ORDER BY joined_at, id LIMIT 1),
            (SELECT id FROM player WHERE instance_id = instance.id
                ORDER BY joined_at, id LIMIT 1))
        """

    var id: InstanceID
    var name: InstanceName
    var title: InstanceTitle?
    var description: Description?
    /// With its node and the version that was chosen.
    var world: WorldReference
    /// With their home, as all people here.
    var owner: UserReference
    var moderators: [UserReference]
    var capacity: Capacity
    var tags: TagSet
    /// The credential of the Ins that runs it.
    var ins: String?
    var epoch: Int64
    var createdAt: Timestamp
    var updatedAt: Timestamp
    private(set) var connected = 0
    /// How many wait, or have a place held.
    private(set) var queued = 0
    private(set) var master: PlayerID?

    /// An instance that is made now.
    init(
        id: InstanceID, name: InstanceName, world: WorldReference, owner: UserReference,
        capacity: Capacity, tags: TagSet, now: Timestamp
    ) {
        self.id = id
        self.name = name
        self.world = world
        self.owner = owner
        self.capacity = capacity
        self.tags = tags
        moderators = []
        epoch = 0
        createdAt = now
        updatedAt = now
    }

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        name = try row.value(1, "name")
        title = try row.value(2, "title")
        description = try row.value(3, "description")
        let world: WorldReference = try row.value(4, "world")
        self.world = world.version(try row.value(5, "world_version"))
        owner = try row.value(6, "owner")
        moderators = try row.value(7, "moderators", as: PersonList.self).people
        capacity = try row.value(8, "capacity")
        tags = try row.value(9, "tags")
        ins = try row.value(10, "ins")
        epoch = try row.value(11, "epoch")
        createdAt = try row.value(12, "created_at")
        updatedAt = try row.value(13, "updated_at")
        connected = try row.value(14, "connected")
        queued = try row.value(15, "queued")
        master = try row.value(16, "master")
    }

    /// As those see it who see no players, or with its players.
    func instance(_ players: [PlayerRow]?, _ node: Node) -> Instance {
        Instance(
            id: id, name: name, title: title, description: description, world: world,
            owner: owner, moderators: moderators, master: master, capacity: capacity,
            connected: connected, queued: queued, tags: tags, server: node.address,
            ins: ins.flatMap { InsName($0) }.map { InsView(name: $0) },
            players: players.map { $0.map(player) }, createdAt: createdAt, updatedAt: updatedAt)
    }

    /// A player with the role that follows from the instance; the first that fits.
    func player(_ row: PlayerRow) -> Player {
        let role: PlayerRole =
            if row.kind == .admin { .admin } else if row.user == owner {
                .owner
            } else if row.id
                == master
            { .master } else if moderators.contains(row.user) { .moderator } else { row.kind }
        return Player(
            id: row.id, user: row.user, displayname: row.displayname, role: role,
            joinedAt: row.joinedAt, muted: row.isMuted)
    }
}

/// A presence as it is kept.
struct PlayerRow: RowDecodable, Sendable {
    static let columns: SQL = """
        id, instance_id, user, displayname, kind, reil, joined_at,
        \(SanctionStore.isMuted) AS is_muted
        """

    var id: PlayerID
    var instance: InstanceID
    /// With their home.
    var user: UserReference
    var displayname: DisplayName
    /// What they are by themselves: admin, bot or normal.
    var kind: PlayerRole
    /// The run of the Reil at which their socket ends.
    var reil: String
    var joinedAt: Timestamp
    /// Whether what they say is dropped.
    private(set) var isMuted = false

    /// A player who comes now.
    init(
        id: PlayerID, instance: InstanceID, user: UserReference, displayname: DisplayName,
        kind: PlayerRole, reil: String, now: Timestamp
    ) {
        self.id = id
        self.instance = instance
        self.user = user
        self.displayname = displayname
        self.kind = kind
        self.reil = reil
        joinedAt = now
    }

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        instance = try row.value(1, "instance_id")
        user = try row.value(2, "user")
        displayname = try row.value(3, "displayname")
        kind = try row.value(4, "kind")
        reil = try row.value(5, "reil")
        joinedAt = try row.value(6, "joined_at")
        isMuted = try row.value(7, "is_muted")
    }
}

/// How much an Ins has to do.
struct InsBurden: RowDecodable, Sendable {
    let ins: String
    let players: Int
    let instances: Int

    init(row: borrowing Row) throws(DatabaseError) {
        ins = try row.value(0, "ins")
        players = try row.value(1, "players")
        instances = try row.value(2, "instances")
    }
}

/// Records of live instances.
enum InstanceStore {
    /// Which instances a list is of, and who looks.
    struct Filter: Sendable {
        /// In lower case; nil for all.
        let search: String?
        let tag: Tag?
        let owner: UserReference?
        /// Without its version.
        let world: WorldReference?
        let version: AssetLabel?
        /// Who looks; nobody sees what is public.
        let viewer: UserReference?
        let isAdministrator: Bool
    }

    private static let byID = Query<InstanceID, InstanceRow>(
        "SELECT \(InstanceRow.columns) FROM instance WHERE id = ?1")
    private static let byName = Query<InstanceName, InstanceRow>(
        "SELECT \(InstanceRow.columns) FROM instance WHERE name = ?1")
    private static let everyOne = Query<InstanceRow>(
        "SELECT \(InstanceRow.columns) FROM instance ORDER BY id")
    private static let byOwner = Query<UserReference, InstanceID>(
        "SELECT id FROM instance WHERE owner = ?1")
    private static let byIns = Query<String, InstanceRow>(
        "SELECT \(InstanceRow.columns) FROM instance WHERE ins = ?1")
    private static let nameIsTaken = Query<InstanceName, Bool>(
        "SELECT EXISTS (SELECT 1 FROM instance WHERE name = ?1)")
    private static let emptySince = Query<Timestamp, InstanceID>(
        """
        SELECT id FROM instance
        WHERE empty_since <= ?1 AND instr(tags, ' avr:permanent ') = 0
            AND NOT EXISTS (SELECT 1 FROM waiting WHERE instance_id = instance.id)
        LIMIT 256
        """)
    private static let burdens = Query<InsBurden>(
        """
        SELECT ins, count(player.id) AS players, count(DISTINCT instance.id) AS instances
        FROM instance LEFT JOIN player ON instance_id = instance.id
        WHERE ins IS NOT NULL
        GROUP BY ins
        """)

    private static let filter: SQL = """
        (?1 IS NULL OR instr(title_key, ?1) > 0 OR instr(name, ?1) > 0)
        AND (?2 IS NULL OR instr(tags, ' ' || ?2 || ' ') > 0)
        AND (?3 IS NULL OR owner = ?3)
        AND (?4 IS NULL OR world = ?4)
        AND (?5 IS NULL OR world_version = ?5)
        AND (access = 0 OR ?7 OR owner = ?6 OR instr(moderators, ' ' || ?6 || ' ') > 0
            OR id IN (SELECT instance_id FROM player WHERE user = ?6)
            OR access BETWEEN 1 AND 4 AND (
                id IN (\(CandidateStore.letIn))
                OR owner IN (\(FollowStore.friendsOfViewer))
                OR (SELECT user FROM player WHERE id = \(InstanceRow.master))
                    IN (\(FollowStore.friendsOfViewer))
                OR access IN (1, 3) AND EXISTS (
                    SELECT 1 FROM player
                    WHERE instance_id = instance.id
                        AND user IN (\(FollowStore.friendsOfViewer)))))
        """
    private static let page = Query<
        String?, Tag?, UserReference?, WorldReference?, AssetLabel?, UserReference?, Bool, [UInt8],
        Int, InstanceRow
    >(
        """
        SELECT \(InstanceRow.columns) FROM instance
        WHERE \(filter) AND id > ?8
        ORDER BY id
        LIMIT ?9
        """)
    private static let count = Query<
        String?, Tag?, UserReference?, WorldReference?, AssetLabel?, UserReference?, Bool, Int
    >("SELECT count(*) FROM instance WHERE \(filter)")

    private static let insert = Command<
        InstanceID, InstanceName, InstanceTitle?, String, Description?, WorldReference, AssetLabel?,
        WorldID?, UserReference, PersonList, Capacity, TagSet, Int, String?, Int64, Timestamp
    >(
        """
        INSERT INTO instance (
            id, name, title, title_key, description, world, world_version, own_world, owner,
            moderators, capacity, tags, access, ins, epoch, empty_since, created_at, updated_at
        ) VALUES (
            ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?16)
        """)
    private static let update = Command<
        InstanceID, InstanceName, InstanceTitle?, String, Description?, UserReference, PersonList,
        Capacity, TagSet, Int, Timestamp
    >(
        """
        UPDATE instance SET
            name = ?2, title = ?3, title_key = ?4, description = ?5, owner = ?6, moderators = ?7,
            capacity = ?8, tags = ?9, access = ?10, updated_at = ?11
        WHERE id = ?1
        """)
    private static let place = Command<InstanceID, String?, Int64>(
        "UPDATE instance SET ins = ?2, epoch = ?3 WHERE id = ?1")
    private static let setEmpty = Command<InstanceID, Timestamp?>(
        "UPDATE instance SET empty_since = ?2 WHERE id = ?1")
    private static let delete = Command<InstanceID>("DELETE FROM instance WHERE id = ?1")

    /// The instance with that id or name.
    static func find(
        _ selector: InstanceSelector, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> InstanceRow? {
        switch selector {
        case .id(let id): try reader.first(byID, id)
        case .name(let name): try reader.first(byName, name)
        }
    }

    /// All there are.
    static func all(_ reader: borrowing Reader<APIError>) throws(APIError) -> [InstanceRow] {
        try reader.all(everyOne)
    }

    /// Those of one person.
    static func all(
        of owner: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [InstanceID] {
        try reader.all(byOwner, owner)
    }

    /// Those that an Ins runs.
    static func all(
        at ins: String, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [InstanceRow] {
        try reader.all(byIns, ins)
    }

    /// Some that have had no player since `moment` and do not live on without.
    static func empty(
        since moment: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [InstanceID] {
        try reader.all(emptySince, moment)
    }

    /// What each Ins has to do.
    static func burdens(
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [InsBurden] {
        try reader.all(burdens)
    }

    /// Whether an instance has that name.
    static func isTaken(
        _ name: InstanceName, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(nameIsTaken, name) ?? false
    }

    /// At most `limit` instances behind `after` that the viewer may see, and how many there are.
    static func page(
        _ filter: Filter, after: [UInt8], limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (instances: [InstanceRow], total: Int) {
        let instances = try reader.all(
            page, filter.search, filter.tag, filter.owner, filter.world, filter.version,
            filter.viewer, filter.isAdministrator, after, limit)
        let total = try reader.first(
            count, filter.search, filter.tag, filter.owner, filter.world, filter.version,
            filter.viewer, filter.isAdministrator)
        return (instances, total ?? 0)
    }

    /// Makes an instance without players; 47 when its name is taken.
    static func insert(
        _ row: InstanceRow, ownWorld: WorldID?, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let violation = try transaction.attempt(
            insert, row.id, row.name, row.title, row.title?.text.lowercased() ?? "",
            row.description, row.world.version(nil), row.world.version, ownWorld, row.owner,
            PersonList(row.moderators), row.capacity, row.tags, InstanceAccess(row.tags).rawValue,
            row.ins, row.epoch, row.createdAt)
        if let violation { throw taken(violation) }
    }

    /// Keeps an instance as it is now; 47 when its name is taken.
    static func update(
        _ row: InstanceRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let violation = try transaction.attempt(
            update, row.id, row.name, row.title, row.title?.text.lowercased() ?? "",
            row.description, row.owner, PersonList(row.moderators), row.capacity, row.tags,
            InstanceAccess(row.tags).rawValue, row.updatedAt)
        if let violation { throw taken(violation) }
    }

    /// Another Ins runs it, or none, under another epoch.
    static func place(
        _ row: InstanceRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(place, row.id, row.ins, row.epoch)
    }

    /// Its last player has left at `moment`, or its first has come.
    static func setEmpty(
        _ id: InstanceID, since moment: Timestamp?, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(setEmpty, id, moment)
    }

    /// Deletes an instance with its players.
    static func delete(
        _ id: InstanceID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(delete, id)
    }

    private static func taken(_ violation: ConstraintViolation) -> APIError {
        violation.isUnique("instance.name")
            ? APIError(.instanceAlreadyExists, field: "name", "is taken")
            : .internalError("instance: \(violation)")
    }
}

/// Who is where.
enum PlayerStore {
    private static let byID = Query<PlayerID, PlayerRow>(
        "SELECT \(PlayerRow.columns) FROM player WHERE id = ?1")
    private static let ofInstance = Query<InstanceID, PlayerRow>(
        "SELECT \(PlayerRow.columns) FROM player WHERE instance_id = ?1 ORDER BY joined_at, id")
    private static let ofInstances = Query<IDList<InstanceKind>, PlayerRow>(
        """
        SELECT \(PlayerRow.columns) FROM player
        WHERE instance_id IN (\(SQL.idList))
        ORDER BY joined_at, id
        """)
    private static let ofUser = Query<UserReference, PlayerRow>(
        "SELECT \(PlayerRow.columns) FROM player WHERE user = ?1")
    private static let ofRun = Query<String, PlayerRow>(
        "SELECT \(PlayerRow.columns) FROM player WHERE reil = ?1")
    private static let runs = Query<String>("SELECT DISTINCT reil FROM player")
    private static let lastArrival = Query<InstanceID, Timestamp?>(
        "SELECT max(joined_at) FROM player WHERE instance_id = ?1")
    private static let countOfUser = Query<UserReference, InstanceID, Int>(
        "SELECT count(*) FROM player WHERE user = ?1 AND instance_id = ?2")
    private static let insert = Command<
        PlayerID, InstanceID, UserReference, DisplayName, PlayerRole, String, Timestamp
    >(
        """
        INSERT INTO player (id, instance_id, user, displayname, kind, reil, joined_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """)
    private static let delete = Command<PlayerID>("DELETE FROM player WHERE id = ?1")

    /// The player with that id.
    static func find(
        _ id: PlayerID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> PlayerRow? {
        try reader.first(byID, id)
    }

    /// Everybody in an instance, who came first at the head.
    static func all(
        in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [PlayerRow] {
        try reader.all(ofInstance, instance)
    }

    /// Everybody in several instances.
    static func all(
        in instances: [InstanceID], _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [InstanceID: [PlayerRow]] {
        Dictionary(grouping: try reader.all(ofInstances, IDList(instances)), by: \.instance)
    }

    /// A person's players, wherever they are.
    static func all(
        of user: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [PlayerRow] {
        try reader.all(ofUser, user)
    }

    /// The players whose sockets end at a run of a Reil.
    static func all(
        at run: String, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [PlayerRow] {
        try reader.all(ofRun, run)
    }

    /// The runs of Reil that have players.
    static func runs(_ reader: borrowing Reader<APIError>) throws(APIError) -> [String] {
        try reader.all(runs)
    }

    /// How many players of a person are in an instance.
    static func count(
        of user: UserReference, in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(countOfUser, user, instance) ?? 0
    }

    /// Somebody comes, later than all who are there: who has been there longest must not depend on
    /// a clock that stands still or goes back.
    static func insert(
        _ player: inout PlayerRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if let last = try transaction.first(lastArrival, player.instance) ?? nil {
            player.joinedAt = max(player.joinedAt, last + .milliseconds(1))
        }
        try transaction.run(
            insert, player.id, player.instance, player.user, player.displayname, player.kind,
            player.reil, player.joinedAt)
    }

    /// Somebody is gone; false when they were already.
    static func delete(
        _ id: PlayerID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(delete, id) > 0
    }
}
