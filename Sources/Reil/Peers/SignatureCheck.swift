import API
import Base
import Domain
import Federation
import HTTP

/// What another node asks for with its server token it must have signed, docs/federation §5:
/// neither a stolen token nor a captured request is of use.
struct SignatureCheck: GateCheck {
    /// The longest body that a signed request may have: it is read before anybody is believed.
    private static let bodyLimit = 1 << 20

    let name = "signature"
    let eta: EtaLink
    let directory: PeerDirectory
    let peers: PeerClient
    let limiter: RateLimiter
    let ambient: Ambient

    func check(_ passage: inout Passage) throws(APIError) -> Bool {
        if case .server = passage.caller { return false }
        return true
    }

    func ask(_ passage: inout Passage) async throws(APIError) {
        guard let server = passage.caller.server else { return }
        // What follows costs a body in memory, arithmetic, and a write.
        try limiter.countUnverified(from: passage.client)
        guard let identity = directory.identity else {
            throw .overloaded(context: "no word of eta yet")
        }
        let request = passage.request
        if let length = request.bodyLength, length > Self.bodyLimit {
            throw APIError(.payloadTooLarge)
        }
        let body: [UInt8]
        do throws(BodyError) {
            body = try await request.body.collect(limit: Self.bodyLimit)
        } catch {
            throw APIError(error)
        }
        let claim: RequestSignature.Claim
        do throws(RequestSignature.Refusal) {
            claim = try RequestSignature.read(
                request.head, body: body, authorities: identity.authorities,
                now: ambient.clock.timestamp())
        } catch {
            throw APIError(.challengeFailed, context: "\(server): \(error)")
        }
        guard claim.holds(by: try await peers.key(claim.keyID, of: server)) else {
            throw APIError(.challengeFailed, context: "\(server): the signature does not hold")
        }
        let verdict = try await eta.call(
            RegistryAPI.useNonce,
            RegistryAPI.NonceUse(
                server: server, nonce: claim.nonce,
                expiresAt: NonceLedger.remembered(until: claim.expires)),
            on: request.loop)
        guard verdict.fresh else {
            throw APIError(.challengeFailed, context: "\(server): the nonce was used before")
        }
        peers.heard(from: server)
        passage.request = request.with(body: body)
    }
}
