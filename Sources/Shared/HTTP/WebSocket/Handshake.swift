import Base
import Crypto

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

    /// RFC 6455 §1.3: what makes an accept key out of a client's key.
    private static let salt = Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)

    /// Whether a request asks for a WebSocket at all: GET, HTTP/1.1, `Connection: upgrade`,
    /// `Upgrade: websocket`.
    public static func isAsked(by head: RequestHead) -> Bool {
        head.method == .get && head.asksUpgrade
            && head.list(.upgrade).contains { Octet.equal($0, ignoringCase: "websocket") }
    }

    /// The subprotocols a client offers, first its favourite.
    public static func subprotocols(of head: RequestHead) -> [String] {
        head.list(.secWebSocketProtocol).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The answer to a request whose responder says `.webSocket`: 101 with its fields, or the
    /// refusal: 400, or 426 with the version that is spoken here.
    public static func answer(
        to head: RequestHead, subprotocol: String?
    ) -> (status: Status, fields: Fields) {
        guard isAsked(by: head) else { return (.badRequest, Fields()) }
        let versions = head.all(.secWebSocketVersion)
        guard versions.count == 1, versions[0].elementsEqual("13".utf8) else {
            return (.upgradeRequired, Fields((.secWebSocketVersion, "13"), (.upgrade, "websocket")))
        }
        let keys = head.all(.secWebSocketKey)
        guard keys.count == 1, isKey(keys[0]) else { return (.badRequest, Fields()) }
        var fields = Fields((.upgrade, "websocket"), (.connection, "Upgrade"))
        fields.append(.secWebSocketAccept, acceptKey(for: keys[0]))
        if let subprotocol { fields.append(.secWebSocketProtocol, subprotocol) }
        return (.switchingProtocols, fields)
    }

    /// What a client asks: the fields (with Connection and Upgrade, without Host) and the key
    /// whose answer `check` looks for.
    public static func request(
        subprotocols: [String], random: any RandomSource
    ) -> (fields: Fields, key: String) {
        let key = Base64.encode(random.bytes(16))
        var fields = Fields(
            (.upgrade, "websocket"), (.connection, "Upgrade"), (.secWebSocketVersion, "13"),
            (.secWebSocketKey, key))
        if !subprotocols.isEmpty {
            fields.append(.secWebSocketProtocol, subprotocols.joined(separator: ", "))
        }
        return (fields, key)
    }

    /// Whether a server's answer completes the handshake; the subprotocol it chose.
    public static func check(
        _ head: ResponseHead, key: String, subprotocols: [String]
    ) throws(Failure) -> String? {
        guard head.status == .switchingProtocols else { throw .refused(head.status) }
        let fields = head.fields
        guard fields.list(.upgrade).contains(where: { Octet.equal($0, ignoringCase: "websocket") }),
            fields.list(.connection).contains(where: { Octet.equal($0, ignoringCase: "upgrade") }),
            fields.all(.secWebSocketAccept).count == 1,
            fields[.secWebSocketAccept] == acceptKey(for: ArraySlice(key.utf8))
        else { throw .notWebSocket }
        guard fields.all(FieldName(known: "Sec-WebSocket-Extensions")).isEmpty else {
            throw .unaskedProtocol
        }
        let chosen = fields.all(.secWebSocketProtocol)
        guard let first = chosen.first else { return nil }
        let name = String(decoding: first, as: UTF8.self)
        guard chosen.count == 1, subprotocols.contains(name) else { throw .unaskedProtocol }
        return name
    }

    static func acceptKey(for key: ArraySlice<UInt8>) -> String {
        Base64.encode(SHA1.hash(Array(key) + salt))
    }

    /// Sixteen bytes in base64.
    private static func isKey(_ key: ArraySlice<UInt8>) -> Bool {
        Base64.decode(String(decoding: key, as: UTF8.self))?.count == 16
    }
}
