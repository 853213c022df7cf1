import API
import Base
import Crypto
import Domain
import HTTP

/// What a peer may say it has: objects of the contract's shape, each with as many lies in it as a
/// test likes.
extension FakePeer {
    /// An id in the right form that nobody has.
    public static func id(_ kind: String) -> String {
        let hex = Hex.encode(SystemRandom().bytes(16))
        func part(_ from: Int, _ to: Int) -> Substring {
            hex[hex.index(hex.startIndex, offsetBy: from)..<hex.index(hex.startIndex, offsetBy: to)]
        }
        return
            "\(kind)_\(part(0, 8))-\(part(8, 12))-7\(part(13, 16))-8\(part(17, 20))-\(part(20, 32))"
    }

    /// A user of its own, with `lies` over what is true.
    public func user(_ id: String, _ lies: JSONObject = [:]) -> JSONValue {
        Self.object(
            [
                "id": .string(id), "username": "stranger", "displayname": "A stranger",
                "description": nil, "thumbnail": nil, "banner": nil, "tags": [],
                "server": .string(address), "created_at": 1, "updated_at": 2,
            ], lies)
    }

    /// A world of its own with one asset, with `lies` over what is true.
    public func world(_ id: String, _ lies: JSONObject = [:]) -> JSONValue {
        Self.object(
            [
                "id": .string(id), "title": "Somewhere else", "description": nil, "capacity": 8,
                "owner": .string("\(Self.id("u"))@\(address)"), "contributors": [],
                "thumbnail": nil, "tags": ["avr:public"], "server": .string(address),
                "assets": [asset(Self.id("f"))], "created_at": 1, "updated_at": 2,
            ], lies)
    }

    /// An asset with a file, with `lies` over what is true.
    public func asset(_ id: String, _ lies: JSONObject = [:]) -> JSONValue {
        Self.object(
            [
                "id": .string(id), "version": "1.0", "engine": "unity", "platform": "linux",
                "url": nil, "hash": .string(String(repeating: "ab", count: 32)), "size": 3,
                "empty": false, "created_at": 1, "updated_at": 2,
            ], lies)
    }

    /// Itself, with `lies` over what is true.
    public func node(_ lies: JSONObject = [:]) -> JSONValue {
        Self.object(
            [
                "id": .string(Self.id("n")), "title": "A peer", "description": "",
                "address": .string(address), "secure": false, "version": "1", "created_at": 1,
                "updated_at": 2, "ready_at": 3, "icon": nil,
                "gateway": ["secure": false, "address": .string(address)],
                "key": .string(key.publicKey.base64URL),
                "stats": ["users": 1, "worlds": 1, "instances": 0, "players": 0],
            ], lies)
    }

    /// A list of these.
    public static func page(_ items: [JSONValue]) -> JSONValue {
        ["items": .array(items), "next": nil, "total": .integer(Int64(items.count))]
    }

    /// An envelope with that error, and whatever a peer may want to add to it.
    public static func refusal(
        _ code: Int64, status: Status = .ok, message: String = "No.", redirect: JSONValue? = nil
    ) -> Response {
        var envelope: JSONObject = [
            "request": "/", "time": 0,
            "error": ["code": .integer(code), "message": .string(message)],
        ]
        envelope["redirect"] = redirect
        return json(.object(envelope), status: status)
    }

    /// Text in place of JSON.
    public static func text(_ text: String, fields: Fields = Fields()) -> Response {
        Response(status: .ok, fields: fields, body: .bytes(Array(text.utf8)))
    }

    /// An envelope around that, with these fields beside the usual ones.
    public static func envelope(_ data: JSONValue, _ further: (FieldName, String)...) -> Response {
        var response = json(["request": "/", "time": 0, "data": data])
        for (name, value) in further { response.fields.append(name, value) }
        return response
    }

    /// What is true, with `lies` over it.
    public static func object(_ truth: JSONObject, _ lies: JSONObject) -> JSONValue {
        var all = truth
        for member in lies.members { all[member.key] = member.value }
        return .object(all)
    }
}

/// Something that many wait for until a test lets them go.
public final class Barrier: Sendable {
    private let isOpen = Lock(false)

    /// Closed.
    public init() {}

    /// Lets all go on.
    public func open() { isOpen.withLock { $0 = true } }

    /// Comes back once it is open.
    public func wait() async throws {
        try await Eventually.holds("an open barrier", within: .seconds(60)) { _ in
            isOpen.withLock { $0 }
        }
    }
}
