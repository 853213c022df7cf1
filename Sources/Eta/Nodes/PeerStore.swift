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
            gateway_address = excluded.gateway_address, seen_at = excluded.seen_at
        """)
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

    /// Remembers a node as it is now; once seen over https it stays so.
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
