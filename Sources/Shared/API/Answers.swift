import Base
import Domain
import HTTP

/// Responses around envelopes.
public enum Answers {
    /// A success whose `data` is kept encoded.
    public static func success<Object>(
        _ exchange: Exchange, _ facts: EndpointFacts, _ object: Encoded<Object>
    ) -> Response {
        success(exchange, facts, tag: object.tag) { out in out.append(object.json) }
    }

    /// A success whose `data` is what `write` writes; 304 where the caller has it already.
    public static func success(
        _ exchange: Exchange, _ facts: EndpointFacts, tag known: String?,
        _ write: (inout ByteWriter) -> Void
    ) -> Response {
        let request = exchange.passage.request
        let target = exchange.passage.shownTarget.map { $0[...] } ?? request.head.targetBytes
        var out = ByteWriter(capacity: 512)
        Envelope.open(
            request: target, time: exchange.ambient.clock.timestamp(), into: &out)
        let start = out.count
        write(&out)
        var fields =
            facts.holdsToken ? secret : exchange.passage.caller == .nobody ? open : personal
        if facts.method == .get, !facts.holdsToken, !facts.volatile {
            let tag = known ?? EntityTag.of(out.array(from: start))
            fields.append(.eTag, tag)
            if request.head.field(.ifNoneMatch) != nil,
                Conditional.isNamed(
                    ETag(Array(tag.utf8)[...]), by: .ifNoneMatch, of: request.head,
                    strongly: false)
            {
                return Response(status: .notModified, fields: fields)
            }
        }
        Envelope.close(into: &out)
        return Response(
            status: facts.created ? .created : .ok, fields: fields, body: .bytes(out.array()))
    }

    /// What an answer to anybody says of itself.
    private static let open = Fields((.contentType, "application/json"))
    /// One that depends on who asks.
    private static let personal = Fields(
        (.contentType, "application/json"), (.cacheControl, "private"), (.vary, "Authorization"))
    /// One with a token in it.
    private static let secret = Fields(
        (.contentType, "application/json"), (.cacheControl, "no-store"))

    /// A failure; one that is the node's own fault is logged with its context. `id` is the request's
    /// where another process gave it one.
    public static func failure(
        _ error: APIError, of request: Request, id: UInt64? = nil, _ ambient: Ambient,
        target: [UInt8]? = nil
    ) -> Response {
        if error.status == 502 || error.status == 504 {
            // Another node's fault, and nothing that this one's operator could mend.
            ambient.log.info(
                "another server failed", .number("code", error.code.rawValue),
                .reason(error.context), .request(id ?? request.id))
        } else if error.status >= 500, !error.code.isRetryable || !error.context.isEmpty {
            ambient.log.error(
                "request failed", .number("code", error.code.rawValue), .reason(error.context),
                .text("path", String(decoding: request.head.path, as: UTF8.self)),
                .request(id ?? request.id))
        } else if !error.context.isEmpty {
            ambient.log.debug(
                "request refused", .number("code", error.code.rawValue),
                .reason(error.context), .request(id ?? request.id))
        }
        var out = ByteWriter(capacity: 256)
        Envelope.failure(
            error, request: target.map { $0[...] } ?? request.head.targetBytes,
            time: ambient.clock.timestamp(), redirect: error.redirect, into: &out)
        // Who asks may have been refused for who they are.
        var fields = personal
        if !error.allow.isEmpty {
            fields.append(.allow, error.allow.joined(separator: ", "))
        }
        if let size = error.fileSize { fields.append(.contentRange, "bytes */\(size)") }
        if let world = error.world { fields.append(.avrWorld, world.field) }
        if let wait = error.retryAfter {
            fields.append(.retryAfter, decimal: max(1, (wait.milliseconds + 999) / 1000))
        }
        return Response(
            status: Status(Int(error.status)) ?? .internalServerError, fields: fields,
            body: .bytes(out.array()), accessTarget: target)
    }
}
