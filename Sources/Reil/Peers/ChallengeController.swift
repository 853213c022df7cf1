import API
import Base
import Domain
import Federation
import HTTP

/// The asked side of challenges, docs/federation §4: Eta keeps them, the proof is checked here.
struct ChallengeController: Sendable {
    let eta: EtaLink
    let peers: PeerClient
    let desk: RuleDesk

    /// `PUT /api/challenges`: whoever claims an address gets something to sign, once the node
    /// behind that address has been found.
    @Sendable func open(
        _ path: ChallengeAPI.ListPath, _ body: ChallengeAPI.Opening, _ context: RequestContext
    ) async throws(APIError) -> ChallengeAPI.Nonce {
        try desk.require(body.server, seenAt: context.client)
        _ = try await peers.peer(body.server)
        return try await eta.call(
            RegistryAPI.openChallenge, body, on: context.request.loop)
    }

    /// `POST /api/challenges/:id`: the challenge is spent whatever comes of it.
    @Sendable func prove(
        _ path: ChallengeAPI.ChallengePath, _ body: ChallengeAPI.Proof, _ context: RequestContext
    ) async throws(APIError) -> ChallengeAPI.Proved {
        guard let own = eta.welcome?.server.address else {
            throw .overloaded(context: "no word of eta yet")
        }
        let loop = context.request.loop
        let challenge = try await eta.call(
            RegistryAPI.spendChallenge, RegistryAPI.Spending(id: path.id), on: loop)
        let key = try await peers.key(body.key, of: challenge.server)
        guard ChallengeText.holds(body, of: challenge, by: key, asked: own) else {
            throw APIError(.challengeFailed, context: "\(challenge.server): signature")
        }
        peers.heard(from: challenge.server)
        return try await eta.call(
            RegistryAPI.issueServerToken,
            RegistryAPI.TokenIssue(challenge: path.id, server: challenge.server), on: loop)
    }
}
