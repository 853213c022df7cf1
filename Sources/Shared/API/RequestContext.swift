import Base
import Crypto
import Domain
import HTTP

/// What a controller knows of the request that it answers, beside path and body.
public struct RequestContext: Sendable {
    /// The request.
    public let request: Request
    /// Who calls, as the gate found out.
    public let caller: Caller
    /// The id that the request carries through all roles.
    public let requestID: UInt64
    /// The client's own address, whatever proxies stand between.
    public let client: IPAddress
    /// The outside.
    public let ambient: Ambient

    /// The context of a request that passed the gate.
    public init(_ passage: Passage, _ ambient: Ambient) {
        request = passage.request
        caller = passage.caller
        requestID = passage.requestID ?? passage.request.id
        client = passage.client
        self.ambient = ambient
    }

    /// The wall clock.
    public var now: Timestamp { ambient.clock.timestamp() }

    /// The caller as a user of this node.
    ///
    /// - Throws: 3 for nobody, 54 for anybody else.
    public func user() throws(APIError) -> UserCaller {
        switch caller {
        case .user(let user): return user
        case .nobody: throw APIError(.userNotLogged)
        case .visitor, .server, .ins, .gateway: throw APIError(.wrongCredential)
        }
    }

    /// What Reil has read of a world of another node that this request chooses; nil before it has.
    public func worldRead(for chosen: WorldReference) -> WorldRead? {
        guard let read = request.head.text(.avrWorldRead).flatMap({ WorldRead(field: $0) }),
            read.world.id == chosen.id, read.world.server == chosen.server
        else { return nil }
        return read
    }

    /// Refuses an update when `If-Match` names another state than `current`, docs/client/README.md.
    ///
    /// - Throws: 53 when the object has changed since.
    public func requireMatch(_ current: some Encodable) throws(APIError) {
        if request.head.field(.ifMatch) == nil { return }
        try requireMatch(tag: EntityTag.of(JSONCoder.encode(current)))
    }

    /// The same for what has the tag `tag` now; nil for what is not there yet.
    ///
    /// - Throws: 53 when it has changed since.
    public func requireMatch(tag: String?) throws(APIError) {
        if request.head.field(.ifMatch) == nil { return }
        let eTag = tag.flatMap { ETag(Array($0.utf8)[...]) }
        guard Conditional.isNamed(eTag, by: .ifMatch, of: request.head, strongly: true) else {
            throw APIError(.preconditionFailed)
        }
    }
}

/// The strong tag of an object's encoding.
public enum EntityTag {
    /// The tag, with its quotes.
    public static func of(_ data: [UInt8]) -> String {
        "\"\(Hex.encode(SHA256.hash(data).bytes.prefix(16)))\""
    }
}

/// `data` that is kept as bytes with its tag, so that what is asked for often is encoded once.
public struct Encoded<Object: Codable & Sendable>: Sendable {
    /// The JSON.
    public let json: [UInt8]
    /// The strong tag, with its quotes.
    public let tag: String

    /// Encodes `object`; the tag is of `tagged`, where that differs (`stats` aside).
    public init(_ object: Object, tagged: Object? = nil) {
        json = JSONCoder.encode(object)
        tag = EntityTag.of(tagged.map { JSONCoder.encode($0) } ?? json)
    }
}
