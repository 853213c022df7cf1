import Base

/// The opening handshake, RFC 6455 §4, both sides.
public enum Handshake {
    /// Why a client does not take a server's answer for the handshake.
    public enum Failure: Error, Sendable, Equatable {
        /// The status is not 101; the response is an ordinary one.
        case refused(Status)
        /// Upgrade, Connection or Sec-WebSocket-Accept are not as they must be.
        case notWebSocket
        /// A subprotocol that was not offered, or an extension.
        case unaskedProtocol
    }

    /// Whether a request asks for a WebSocket at all: GET, HTTP/1.1, `Upgrade: websocket`.
    public static func isAsked(by head: RequestHead) -> Bool { false }

    /// The subprotocols a client offers, first its favourite.
    public static func subprotocols(of head: RequestHead) -> [String] { [] }

    /// The answer to a request whose responder says `.webSocket`: 101 with its fields, or the
    /// refusal: 400, or 426 with the version that is spoken here.
    public static func answer(
        to head: RequestHead, subprotocol: String?
    ) -> (status: Status, fields: Fields) { (.badRequest, Fields()) }

    /// What a client asks: the fields (with Connection and Upgrade, without Host) and the key
    /// whose answer `check` looks for.
    public static func request(
        subprotocols: [String], random: any RandomSource
    ) -> (fields: Fields, key: String) { (Fields(), "") }

    /// Whether a server's answer completes the handshake; the subprotocol it chose.
    public static func check(
        _ head: ResponseHead, key: String, subprotocols: [String]
    ) throws(Failure) -> String? { nil }
}
