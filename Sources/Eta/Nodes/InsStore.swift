import Base
import Crypto
import Domain
import Runtime
import Storage

/// A credential of an Ins as it is kept, without its hash.
struct InsRow: RowDecodable, Sendable {
    let name: InsName
    let createdAt: Timestamp

    init(row: borrowing Row) throws(DatabaseError) {
        name = try row.value(0, "name")
        createdAt = try row.value(1, "created_at")
    }
}

/// The credentials of the operator's own Ins: the pool.
enum InsStore {
    private static let insert = Command<InsName, SHA256Digest, Timestamp>(
        "INSERT INTO ins (name, token_hash, created_at) VALUES (?1, ?2, ?3)")
    private static let replace = Command<InsName, SHA256Digest, Timestamp>(
        "INSERT OR REPLACE INTO ins (name, token_hash, created_at) VALUES (?1, ?2, ?3)")
    private static let names = Query<InsName>("SELECT name FROM ins")
    private static let rows = Query<InsRow>("SELECT name, created_at FROM ins ORDER BY name")
    private static let delete = Command<InsName>("DELETE FROM ins WHERE name = ?1")
    private static let byHash = Query<SHA256Digest, InsName>(
        "SELECT name FROM ins WHERE token_hash = ?1")

    /// The names of the operator's own Ins.
    static func pool(_ reader: borrowing Reader<APIError>) throws(APIError) -> Set<String> {
        Set(try reader.all(names).map(\.text))
    }

    /// All credentials, without what they are.
    static func all(_ reader: borrowing Reader<APIError>) throws(APIError) -> [InsRow] {
        try reader.all(rows)
    }

    /// Whose a credential is.
    static func find(
        _ hash: SHA256Digest, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> InsName? {
        try reader.first(byHash, hash)
    }

    /// Makes a credential; false when the name has one.
    static func add(
        _ name: InsName, _ token: InsToken, at now: Timestamp, to database: Database
    ) async throws(APIError) -> Bool {
        let hash = SHA256.hash(token.bytes)
        return try await database.write { (transaction) throws(APIError) in
            try transaction.attempt(insert, name, hash, now) == nil
        }
    }

    /// Takes a credential back.
    static func remove(_ name: InsName, from database: Database) async throws(APIError) {
        try await database.write { (transaction) throws(APIError) in
            _ = try transaction.run(delete, name)
        }
    }

    /// Makes the credential of the Ins that runs on this machine, so that it needs no flags. What
    /// counts is the file: one that was put there by hand is taken.
    static func makeLocal(
        _ database: Database, _ settings: EtaSettings, _ ambient: Ambient
    ) async throws {
        let path = settings.data + "/keys/ins.credential"
        let setting = EtaSettings.data.key
        let text = try KeyFiles.readOrCreate(path, setting: setting) {
            ambient.log.notice("key made", .text("file", path))
            return InsToken.make(random: SystemRandom()).secret
        }
        guard let token = InsToken(String(decoding: text.reveal(), as: UTF8.self)),
            let name = InsName("local")
        else {
            throw ConfigError.keyFile(
                key: setting, path: path, reason: "holds no credential of an Ins",
                remedy: "delete it, and eta makes a new one")
        }
        let hash = SHA256.hash(token.bytes)
        let now = ambient.clock.timestamp()
        try await database.write { (transaction) throws(APIError) in
            guard try find(hash, transaction.reader) == nil else { return }
            try transaction.run(replace, name, hash, now)
        }
    }
}
