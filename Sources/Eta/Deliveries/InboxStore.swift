import Domain
import Storage

/// How far the streams of other nodes have come.
enum InboxStore {
    private static let last = Query<ServerAddress, StreamName, Int64>(
        "SELECT last FROM inbox WHERE peer = ?1 AND stream = ?2")
    private static let set = Command<ServerAddress, StreamName, Int64>(
        """
        INSERT INTO inbox (peer, stream, last) VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET stream = ?2, last = ?3
        """)

    /// The id up to which a stream was taken; a node has one stream, and with another it begins anew.
    static func last(
        of peer: ServerAddress, _ stream: StreamName, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int64 {
        try reader.first(last, peer, stream) ?? 0
    }

    /// A stream was taken up to that id.
    static func set(
        _ last: Int64, of peer: ServerAddress, _ stream: StreamName,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(set, peer, stream, last)
    }
}
