import API
import Base
import Crypto
import Domain
import Federation
import HTTP

/// `GET /.well-known/avr`: what this node says of itself, signed by each of its keys.
final class DiscoveryController: Sendable {
    private struct Document {
        let body: [UInt8]
        let tag: String
        let madeAt: Timestamp
    }

    private let directory: PeerDirectory
    private let age: Duration
    private let document = Lock<Document?>(nil)

    init(directory: PeerDirectory, age: Duration) {
        self.directory = directory
        self.age = age
    }

    @Sendable func fetch(
        _ path: ServerAPI.DiscoveryPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        let document = try current(context.now)
        let fields = Fields(
            (.contentType, "application/json"), (.eTag, document.tag),
            (.cacheControl, "public, max-age=\(age.milliseconds / 1_000)"))
        if let condition = context.request.head.text(.ifNoneMatch), condition == document.tag {
            return Response(status: .notModified, fields: fields)
        }
        return Response(status: .ok, fields: fields, body: .bytes(document.body))
    }

    /// Signed once a second at the most: a signature costs more than the request.
    private func current(_ now: Timestamp) throws(APIError) -> Document {
        if let kept = document.withLock({ $0 }), now >= kept.madeAt,
            now - kept.madeAt < .seconds(1)
        {
            return kept
        }
        guard let identity = directory.identity else {
            throw .overloaded(context: "no word of eta yet")
        }
        let body = DiscoveryDocument.write(identity, now: now)
        let made = Document(body: body, tag: EntityTag.of(body), madeAt: now)
        document.withLock { $0 = made }
        return made
    }
}
