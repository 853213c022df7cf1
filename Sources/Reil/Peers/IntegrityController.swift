import API
import Base
import Domain
import Federation
import HTTP

/// Grants that let a user act on a node that is not their home, docs/federation §7: both sides.
struct IntegrityController: Sendable {
    let eta: EtaLink
    let peers: PeerClient

    /// The home's side, `POST /api/integrity`: our user wants to visit another node.
    @Sendable func request(
        _ path: IntegrityAPI.ListPath, _ body: IntegrityAPI.Wish, _ context: RequestContext
    ) async throws(APIError) -> Integrity {
        let user = try context.user()
        guard context.caller.may(.fetchExternal) else { throw APIError(.userCannotFetch) }
        guard let home = eta.welcome?.server.address else {
            throw .overloaded(context: "no word of eta yet")
        }
        let loop = context.request.loop
        let reference = UserReference(user.id, at: home)
        let view = try await eta.call(
            UserAPI.fetch, NoBody(), captures: [user.id.text], as: .nobody, on: loop)
        let (grant, peer) = try await peers.call(
            IntegrityAPI.vouch,
            IntegrityAPI.Vouching(user: reference, profile: view.user), at: body.server,
            proof: .required)
        guard grant.user.absolute(at: home) == reference, grant.expiresAt > context.now else {
            throw APIError(
                .badDataFromServer, context: "\(body.server) grants something else")
        }
        _ = try await eta.call(
            RegistryAPI.recordIntegrity,
            RegistryAPI.OutgoingGrant(
                id: grant.id, user: user.id, session: user.session, server: body.server,
                expiresAt: grant.expiresAt), on: loop)
        return Integrity(
            id: grant.id, user: reference, server: body.server, createdAt: context.now,
            expiresAt: grant.expiresAt, token: grant.token, gateway: peer.gateway)
    }

    /// The host's side, `PUT /api/integrity`: a home vouches for one of its users.
    @Sendable func vouch(
        _ path: IntegrityAPI.ListPath, _ body: IntegrityAPI.Vouching, _ context: RequestContext
    ) async throws(APIError) -> IntegrityGrant {
        guard let home = context.caller.server else { throw APIError(.wrongCredential) }
        guard body.user.server == home else {
            throw APIError(.objectNotInternal, field: "user", "is not a user of \(home)")
        }
        let peer = try await peers.peer(home)
        var profile: User
        if let told = body.profile {
            profile = told
            guard told.id == body.user.id, told.server == home else {
                throw APIError(.objectNotInternal, field: "profile", "is of somebody else")
            }
        } else {
            let reply = try await peers.read(
                UserAPI.fetch.facts.target([body.user.id.text]), tag: nil, at: home)
            profile = try PeerClient.decode(User.self, from: reply.data)
        }
        do throws(APIError) {
            try profile.admit(from: peer, asked: [body.user.id.text])
        } catch {
            // What was told in the request is a mistake of the request.
            guard body.profile != nil else { throw error }
            throw APIError(
                .integrityInvalidInput,
                details: [FieldProblem(field: "profile", message: "has images elsewhere")],
                context: error.context)
        }
        return try await eta.call(
            RegistryAPI.issueIntegrity,
            RegistryAPI.IncomingGrant(user: body.user, profile: profile),
            on: context.request.loop)
    }
}

extension UserView {
    /// What everybody sees of the user.
    var user: User {
        switch self {
        case .user(let user): user
        case .friend(let friend): friend.user
        case .themself(let user): user.user
        }
    }
}
