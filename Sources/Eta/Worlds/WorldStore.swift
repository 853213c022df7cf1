import Base
import Crypto
import Domain
import Storage

/// A world as it is kept, without its assets.
struct WorldRow: RowDecodable, Sendable {
    static let columns: SQL = """
        id, title, description, capacity, owner_id, contributors, tags, thumbnail, created_at,
        updated_at
        """

    var id: WorldID
    var title: WorldTitle
    var description: WorldDescription?
    var capacity: Capacity
    var owner: UserID
    /// With their homes.
    var contributors: [UserReference]
    var tags: TagSet
    /// The image in the node's own store.
    var thumbnail: SHA256Digest?
    var createdAt: Timestamp
    var updatedAt: Timestamp

    /// A world that is made now.
    init(
        id: WorldID, title: WorldTitle, description: WorldDescription?, capacity: Capacity,
        owner: UserID, tags: TagSet, now: Timestamp
    ) {
        self.id = id
        self.title = title
        self.description = description
        self.capacity = capacity
        self.owner = owner
        contributors = []
        self.tags = tags
        createdAt = now
        updatedAt = now
    }

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        title = try row.value(1, "title")
        description = try row.value(2, "description")
        capacity = try row.value(3, "capacity")
        owner = try row.value(4, "owner_id")
        contributors = try row.value(5, "contributors", as: PersonList.self).people
        tags = try row.value(6, "tags")
        thumbnail = try row.value(7, "thumbnail")
        createdAt = try row.value(8, "created_at")
        updatedAt = try row.value(9, "updated_at")
    }

    /// As everybody who may see it sees it.
    func world(_ assets: [AssetRow], _ node: Node) -> World {
        World(
            id: id, title: title, description: description, capacity: capacity,
            owner: node.reference(owner), contributors: contributors,
            thumbnail: thumbnail.map {
                node.gateway.url("/api/worlds/\(id)/thumbnail?hash=\($0.hex)")
            }, tags: tags, server: node.address, assets: assets.map { $0.asset(node) },
            createdAt: createdAt, updatedAt: updatedAt)
    }
}

/// The catalogue.
enum WorldStore {
    /// Which worlds a list is of, and who looks.
    struct Filter: Sendable {
        /// In lower case; nil for all.
        let search: String?
        let tag: Tag?
        let owner: UserID?
        /// Who looks; nobody sees what is public.
        let viewer: UserReference?
        /// Who looks, where it is an account of this node.
        let account: UserID?
        let isAdministrator: Bool
    }

    private static let byID = Query<WorldID, WorldRow>(
        "SELECT \(WorldRow.columns) FROM world WHERE id = ?1")
    private static let byOwner = Query<UserID, WorldRow>(
        "SELECT \(WorldRow.columns) FROM world WHERE owner_id = ?1 ORDER BY id")

    private typealias PageQuery = Query<
        String?, Tag?, UserID?, UserReference?, UserID?, Bool, [UInt8], Int, IDList<WorldKind>?,
        WorldRow
    >
    private typealias CountQuery = Query<
        String?, Tag?, UserID?, UserReference?, UserID?, Bool, IDList<WorldKind>?, Int
    >
    /// A private world is seen by its owner, its contributors and the members of its instances.
    private static let visible: SQL = """
        (instr(tags, ' avr:private ') = 0 OR ?6 OR owner_id = ?5
            OR instr(contributors, ' ' || ?4 || ' ') > 0
            OR id IN (
                SELECT own_world FROM player JOIN instance ON instance.id = instance_id
                WHERE user = ?4 AND own_world IS NOT NULL))
        """
    private static let wanted: SQL = """
        (?1 IS NULL OR instr(title_key, ?1) > 0)
        AND (?2 IS NULL OR instr(tags, ' ' || ?2 || ' ') > 0)
        AND (?3 IS NULL OR owner_id = ?3)
        """
    private static let anywhere: SQL = "\(wanted) AND \(visible)"
    private static let ofOwner: SQL = "owner_id = ?3 AND \(anywhere)"
    private static let pageAnywhere: PageQuery = page("\(anywhere) AND ?9 IS NULL")
    private static let countAnywhere: CountQuery = count("\(anywhere) AND ?7 IS NULL")
    private static let pageOfOwner: PageQuery = page("\(ofOwner) AND ?9 IS NULL")
    private static let countOfOwner: CountQuery = count("\(ofOwner) AND ?7 IS NULL")
    private static let pageOfFound: PageQuery = page(
        "id IN (\(SQL.ids(in: "?9"))) AND \(anywhere)")
    private static let countOfFound: CountQuery = count(
        "id IN (\(SQL.ids(in: "?7"))) AND \(anywhere)")
    private static let found = Query<SearchMatch, Int, WorldID>(
        """
        SELECT world_id FROM world_text
        WHERE row IN (SELECT rowid FROM world_search WHERE world_search MATCH ?1 LIMIT ?2)
        """)
    private static let matches = Query<SearchMatch, Int>(
        "SELECT count(*) FROM world_search WHERE world_search MATCH ?1")
    /// Of those that are wanted, the private ones that are not for who looks.
    private static let countHidden: CountQuery = count(
        "instr(tags, ' avr:private ') > 0 AND \(wanted) AND NOT coalesce(\(visible), 0) AND ?7 IS NULL"
    )

    private static func page(_ which: SQL) -> PageQuery {
        Query(
            """
            SELECT \(WorldRow.columns) FROM world
            WHERE \(which) AND id > ?7
            ORDER BY id
            LIMIT ?8
            """)
    }

    private static func count(_ which: SQL) -> CountQuery {
        Query("SELECT count(*) FROM world WHERE \(which)")
    }

    private static let hasMember = Query<WorldID, UserReference, Bool>(
        """
        SELECT EXISTS (
            SELECT 1 FROM player JOIN instance ON instance.id = instance_id
            WHERE user = ?2 AND own_world = ?1)
        """)

    private static let insert = Command<
        WorldID, WorldTitle, String, WorldDescription?, Capacity, UserID, TagSet, Timestamp
    >(
        """
        INSERT INTO world (
            id, title, title_key, description, capacity, owner_id, contributors, tags, created_at,
            updated_at
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, '', ?7, ?8, ?8)
        """)
    private static let update = Command<
        WorldID, WorldTitle, String, WorldDescription?, Capacity, PersonList, TagSet,
        SHA256Digest?, Timestamp
    >(
        """
        UPDATE world SET
            title = ?2, title_key = ?3, description = ?4, capacity = ?5, contributors = ?6,
            tags = ?7, thumbnail = ?8, updated_at = ?9
        WHERE id = ?1
        """)
    private static let touch = Command<WorldID, Timestamp>(
        "UPDATE world SET updated_at = ?2 WHERE id = ?1")
    private static let delete = Command<WorldID>("DELETE FROM world WHERE id = ?1")

    /// The world with that id.
    static func find(
        _ id: WorldID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> WorldRow? {
        try reader.first(byID, id)
    }

    /// All worlds of an account.
    static func all(
        of owner: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [WorldRow] {
        try reader.all(byOwner, owner)
    }

    /// At most `limit` worlds behind `after` that the viewer may see, and how many there are.
    static func page(
        _ filter: Filter, after: [UInt8], limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (worlds: [WorldRow], total: Int) {
        if filter.owner != nil {
            return try page(pageOfOwner, countOfOwner, nil, filter, after, limit, reader)
        }
        let search = filter.search.map { SearchMatch.Wanted(columns: "title", text: $0) }
        let tag = filter.tag.map { SearchMatch.Wanted(columns: "tags", text: " \($0.text) ") }
        let wanted = [search, tag].compactMap { $0 }
        // Where the index of titles and tags finds few, only they are looked at.
        for attempt in SearchMatch.attempts(wanted) {
            let few = try reader.all(found, attempt, SearchMatch.few + 1)
            guard few.count <= SearchMatch.few else { continue }
            return try page(pageOfFound, countOfFound, IDList(few), filter, after, limit, reader)
        }
        var known = try SearchMatch(wanted).map { (match) throws(APIError) in
            try reader.first(matches, match) ?? 0
        }
        let isAll = filter.search == nil && filter.tag == nil
        if isAll { known = try ListTotals.count("world", reader) }
        guard let known else {
            return try page(pageAnywhere, countAnywhere, nil, filter, after, limit, reader)
        }
        // All but what is hidden, of which there is less to count.
        let isStranger = filter.viewer == nil && !filter.isAdministrator
        let worlds = try rows(pageAnywhere, nil, filter, after, limit, reader)
        let hidden =
            isAll && isStranger
            ? try ListTotals.count("private", reader)
            : try count(countHidden, nil, filter, reader)
        return (worlds, known - hidden)
    }

    private static func page(
        _ page: PageQuery, _ count: CountQuery, _ ids: IDList<WorldKind>?, _ filter: Filter,
        _ after: [UInt8], _ limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (worlds: [WorldRow], total: Int) {
        (
            try rows(page, ids, filter, after, limit, reader),
            try self.count(count, ids, filter, reader)
        )
    }

    private static func rows(
        _ page: PageQuery, _ ids: IDList<WorldKind>?, _ filter: Filter, _ after: [UInt8],
        _ limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [WorldRow] {
        try reader.all(
            page, filter.search, filter.tag, filter.owner, filter.viewer, filter.account,
            filter.isAdministrator, after, limit, ids)
    }

    private static func count(
        _ count: CountQuery, _ ids: IDList<WorldKind>?, _ filter: Filter,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(
            count, filter.search, filter.tag, filter.owner, filter.viewer, filter.account,
            filter.isAdministrator, ids) ?? 0
    }

    /// Whether that person is in an instance of the world here.
    static func isMember(
        _ person: UserReference, of world: WorldID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(hasMember, world, person) ?? false
    }

    /// Makes a world; 30 when its id is taken.
    static func insert(
        _ world: WorldRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let violation = try transaction.attempt(
            insert, world.id, world.title, world.title.text.lowercased(), world.description,
            world.capacity, world.owner, world.tags, world.createdAt)
        guard let violation else { return }
        if violation.isUnique("world.id") { throw APIError(.worldAlreadyExists) }
        // Its owner was deleted in the meantime.
        throw APIError(.userNotLogged)
    }

    /// Keeps a world as it is now.
    static func update(
        _ world: WorldRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            update, world.id, world.title, world.title.text.lowercased(), world.description,
            world.capacity, PersonList(world.contributors), world.tags, world.thumbnail,
            world.updatedAt)
    }

    /// Something below the world has changed.
    static func touch(
        _ id: WorldID, at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(touch, id, now)
    }

    /// Deletes a world, and by the schema its assets.
    static func delete(
        _ id: WorldID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(delete, id)
    }
}
