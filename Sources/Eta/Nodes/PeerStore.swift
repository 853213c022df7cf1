import API
import Base
import Crypto
import Domain
import Storage

/// Other nodes, their keys, and the nonces of the requests that they signed.
enum PeerStore {
    /// A node without its keys.
    struct PeerRow: RowDecodable {
        var secure: Bool
        var gateway: Gateway?

        init(row: borrowing Row) throws(DatabaseError) {
            secure = try row.value(0, "secure")
            let gatewaySecure: Bool? = try row.value(1, "gateway_secure")
            let gatewayAddress: ServerAddress? = try row.value(2, "gateway_address")
            if let gatewaySecure, let gatewayAddress {
                gateway = Gateway(secure: gatewaySecure, address: gatewayAddress)
            }
        }
    }

    /// A node for those who administer this one, without its keys.
    struct KnownRow: RowDecodable, Sendable {
        static let columns: SQL =
            "address, secure, gateway_secure, gateway_address, seen_at, failure, failed_at"

        var address: ServerAddress
        var secure: Bool
        var gateway: Gateway?
        var seenAt: Timestamp
        var failure: NodesAPI.Failure?

        init(row: borrowing Row) throws(DatabaseError) {
            address = try row.value(0, "address")
            secure = try row.value(1, "secure")
            let gatewaySecure: Bool? = try row.value(2, "gateway_secure")
            let gatewayAddress: ServerAddress? = try row.value(3, "gateway_address")
            if let gatewaySecure, let gatewayAddress {
                gateway = Gateway(secure: gatewaySecure, address: gatewayAddress)
            }
            seenAt = try row.value(4, "seen_at")
            let code: ErrorCode? = try row.value(5, "failure")
            let failedAt: Timestamp? = try row.value(6, "failed_at")
            if let code, let failedAt { failure = NodesAPI.Failure(code, at: failedAt) }
        }

        /// As it is shown.
        func shown(with keys: [RegistryAPI.KnownKey]) -> NodesAPI.KnownNode {
            NodesAPI.KnownNode(
                address: address, secure: secure, gateway: gateway,
                keys: keys.map { key in
                    NodesAPI.Key(
                        key: key.key, seenAt: key.seenAt, trustedAt: key.trustedAt,
                        expiresAt: key.expiresAt)
                }, seenAt: seenAt, error: failure)
        }
    }

    /// A key of a node.
    struct KeyRow: RowDecodable {
        var key: RegistryAPI.KnownKey

        init(row: borrowing Row) throws(DatabaseError) {
            key = RegistryAPI.KnownKey(
                key: try row.value(0, "key"), seenAt: try row.value(1, "seen_at"),
                trustedAt: try row.value(2, "trusted_at"),
                expiresAt: try row.value(3, "expires_at"))
        }
    }

    private static let peer = Query<ServerAddress, PeerRow>(
        "SELECT secure, gateway_secure, gateway_address FROM node WHERE address = ?1")
    private static let keys = Query<ServerAddress, KeyRow>(
        """
        SELECT key, seen_at, trusted_at, expires_at FROM node_key
        WHERE address = ?1
        ORDER BY seen_at DESC, key
        """)
    private static let upsert = Command<ServerAddress, Bool, Bool?, ServerAddress?, Timestamp>(
        """
        INSERT INTO node (address, secure, gateway_secure, gateway_address, seen_at)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (address) DO UPDATE SET
            secure = max(secure, excluded.secure), gateway_secure = excluded.gateway_secure,
            gateway_address = excluded.gateway_address
        """)
    private static let page = Query<String?, String, Int, KnownRow>(
        """
        SELECT \(KnownRow.columns) FROM node
        WHERE (?1 IS NULL OR instr(address, ?1) > 0) AND address > ?2
        ORDER BY address
        LIMIT ?3
        """)
    private static let count = Query<String?, Int>(
        "SELECT count(*) FROM node WHERE ?1 IS NULL OR instr(address, ?1) > 0")
    private static let known = Query<ServerAddress, KnownRow>(
        "SELECT \(KnownRow.columns) FROM node WHERE address = ?1")
    private static let noteFound = Command<ServerAddress, Timestamp>(
        "UPDATE node SET seen_at = ?2, failure = NULL, failed_at = NULL WHERE address = ?1")
    private static let noteFailure = Command<ServerAddress, Timestamp, ErrorCode>(
        "UPDATE node SET failed_at = ?2, failure = ?3 WHERE address = ?1")
    private static let deleteNode = Command<ServerAddress>("DELETE FROM node WHERE address = ?1")
    private static let deleteKeys = Command<ServerAddress>(
        "DELETE FROM node_key WHERE address = ?1")
    private static let insertKey = Command<
        ServerAddress, NodeKeyText, Timestamp, Timestamp, Timestamp
    >(
        """
        INSERT OR REPLACE INTO node_key (address, key, seen_at, trusted_at, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5)
        """)
    private static let insertNonce = Command<ServerAddress, String, Timestamp>(
        "INSERT OR IGNORE INTO nonce (server, nonce, expires_at) VALUES (?1, ?2, ?3)")
    private static let deleteNonces = Command<Timestamp>(
        "DELETE FROM nonce WHERE expires_at <= ?1")

    /// What is remembered of a node; nil when nothing.
    static func find(
        _ address: ServerAddress, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (peer: PeerRow, keys: [RegistryAPI.KnownKey])? {
        guard let row = try reader.first(peer, address) else { return nil }
        return (row, try reader.all(keys, address).map(\.key))
    }

    /// The nodes by their addresses, at most `limit` behind `after`; and how many there are.
    static func page(
        search: String?, after: String, limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (nodes: [NodesAPI.KnownNode], total: Int) {
        var nodes: [NodesAPI.KnownNode] = []
        for row in try reader.all(page, search, after, limit) {
            nodes.append(row.shown(with: try reader.all(keys, row.address).map(\.key)))
        }
        return (nodes, try reader.first(count, search) ?? 0)
    }

    /// A node as it is shown; nil when none is known.
    static func known(
        _ address: ServerAddress, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> NodesAPI.KnownNode? {
        guard let row = try reader.first(known, address) else { return nil }
        return row.shown(with: try reader.all(keys, address).map(\.key))
    }

    /// Notes what came of looking for a node; nothing where it is not known.
    static func note(
        _ address: ServerAddress, failure: ErrorCode?, now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if let failure {
            try transaction.run(noteFailure, address, now, failure)
        } else {
            try transaction.run(noteFound, address, now)
        }
    }

    /// Forgets a node with its keys; whether it was known.
    static func forget(
        _ address: ServerAddress, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(deleteNode, address) == 1
    }

    /// Remembers a node as it is now; once seen over https it stays so. That it was seen, ``note``
    /// says: new keys are also remembered of one that is not believed.
    static func save(
        _ record: RegistryAPI.NodeRecord, now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            upsert, record.address, record.secure, record.gateway?.secure,
            record.gateway?.address, now)
        try transaction.run(deleteKeys, record.address)
        for key in record.keys {
            try transaction.run(
                insertKey, record.address, key.key, key.seenAt, key.trustedAt, key.expiresAt)
        }
    }

    /// Remembers a nonce until `expiresAt`; whether it was never used before.
    static func use(
        _ nonce: String, of server: ServerAddress, until expiresAt: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(insertNonce, server, nonce, expiresAt) == 1
    }

    /// Forgets nonces that no request may carry any more.
    static func sweep(
        now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteNonces, now)
    }
}
