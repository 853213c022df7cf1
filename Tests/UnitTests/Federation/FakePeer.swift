import API
import Base
import Crypto
import Domain
import Federation
import HTTP

/// A network of nodes in memory: each answers as its closure says, and what was asked is kept.
final class FakeNetwork: PeerTransport {
    typealias Answer = @Sendable (PeerRequest) -> Result<PeerAnswer, PeerFailure>

    private let nodes = Lock<[Gateway: Answer]>([:])
    private let log = Lock<[PeerRequest]>([])

    /// What was asked of gateways that exist, as `METHOD target`.
    var asked: [String] { log.withLock { $0 }.map { "\($0.method.name) \($0.target)" } }

    var requests: [PeerRequest] { log.withLock { $0 } }

    func forget() { log.withLock { $0 = [] } }

    func at(_ gateway: Gateway, _ answer: Answer?) { nodes.withLock { $0[gateway] = answer } }

    func exchange(_ request: PeerRequest) async throws(PeerFailure) -> PeerAnswer {
        // Lets whoever else wants the same come in meanwhile.
        await Task.yield()
        guard let answer = nodes.withLock({ $0[request.gateway] }) else {
            throw .unreachable("nobody at \(request.gateway.field)")
        }
        log.withLock { $0.append(request) }
        return try answer(request).get()
    }
}

/// What a node remembers, without a database.
final class FakeMemory: PeerMemory {
    private let records = Lock<[ServerAddress: RegistryAPI.NodeRecord]>([:])
    /// What came of looking for nodes.
    let notes = Lock<[(ServerAddress, ErrorCode?)]>([])

    subscript(_ address: ServerAddress) -> RegistryAPI.NodeRecord? {
        get { records.withLock { $0[address] } }
        set { records.withLock { $0[address] = newValue } }
    }

    func recall(_ address: ServerAddress) async throws(APIError) -> RegistryAPI.NodeRecord? {
        self[address]
    }

    func remember(_ record: RegistryAPI.NodeRecord) async throws(APIError) {
        records.withLock { $0[record.address] = record }
    }

    func note(_ address: ServerAddress, failure: ErrorCode?) async {
        notes.withLock { $0.append((address, failure)) }
    }
}

/// Node B as node A meets it: it publishes its document, challenges, gives tokens, and answers
/// what is signed by A; each part can be made to misbehave.
final class FakePeer: Sendable {
    struct State {
        var identity: NodeIdentity
        var cacheControl = "max-age=60"
        /// In place of the document.
        var document: PeerAnswer?
        var nonce = Base64.encodeURL([UInt8](repeating: 9, count: 32))
        var tokens: [String] = []
        /// What it answers to all else; the envelope of a world's clock without one.
        var answer: PeerAnswer?
        /// Whether what comes has to be signed.
        var wantsToken = false
        var failure: PeerFailure?
    }

    let state: Lock<State>
    let asker: ServerAddress
    let askerKey: Ed25519PublicKey
    let clock: ManualClock

    init(asker: NodeIdentity, clock: ManualClock, identity: NodeIdentity) {
        self.asker = asker.address
        self.clock = clock
        guard let key = asker.keys.first?.pair.publicKey else { preconditionFailure("no key") }
        askerKey = key
        state = Lock(State(identity: identity))
    }

    static func envelope(
        _ members: JSONObject, status: Status = .ok, fields: Fields = Fields()
    ) -> PeerAnswer {
        var object = members
        object["request"] = "/"
        object["time"] = 0
        return PeerAnswer(
            status: status, fields: fields, body: JSONCoder.encode(JSONValue.object(object)))
    }

    static func failure(_ code: ErrorCode, redirect: Gateway? = nil) -> PeerAnswer {
        var members: JSONObject = [
            "error": ["code": .integer(Int64(code.rawValue)), "message": "no"]
        ]
        if let redirect { members["redirect"] = JSONCoder.value(redirect) }
        return envelope(members, status: Status(Int(code.status)) ?? .badRequest)
    }

    func respond(to request: PeerRequest) -> Result<PeerAnswer, PeerFailure> {
        let now = clock.timestamp()
        return state.withLock { state in
            if let failure = state.failure { return .failure(failure) }
            if request.target == DiscoveryDocument.path {
                return .success(
                    state.document
                        ?? PeerAnswer(
                            status: .ok, fields: Fields((.cacheControl, state.cacheControl)),
                            body: DiscoveryDocument.write(state.identity, now: now)))
            }
            if request.target == "/api/challenges" {
                return .success(Self.envelope(["data": JSONCoder.value(challenge(state, now))]))
            }
            if request.target.hasPrefix("/api/challenges/c_") {
                return .success(prove(request, &state, now))
            }
            if state.wantsToken, !holds(request, state, now) {
                return .success(Self.failure(.userNotLogged))
            }
            return .success(state.answer ?? Self.envelope(["data": 7]))
        }
    }

    private func challenge(_ state: State, _ now: Timestamp) -> ChallengeAPI.Nonce {
        ChallengeAPI.Nonce(
            id: .sample, nonce: state.nonce, server: asker, expiresAt: now + .seconds(60))
    }

    private func prove(
        _ request: PeerRequest, _ state: inout State, _ now: Timestamp
    ) -> PeerAnswer {
        guard let value = try? JSONParser.parse(request.body ?? []),
            let proof = try? JSONCoder.decode(ChallengeAPI.Proof.self, from: value),
            ChallengeText.holds(
                proof, of: challenge(state, now), by: askerKey, asked: state.identity.address)
        else { return Self.failure(.challengeFailed) }
        let token = ServerToken.make(random: SeededRandom(seed: UInt64(state.tokens.count)))
        state.tokens.append(token.text)
        return Self.envelope([
            "data": JSONCoder.value(
                ChallengeAPI.Proved(
                    id: .sample, server: asker, token: token, expiresAt: now + .seconds(86_400)))
        ])
    }

    /// The newest token, and a signature that covers the request as it came.
    private func holds(_ request: PeerRequest, _ state: State, _ now: Timestamp) -> Bool {
        guard let token = state.tokens.last,
            request.fields[.authorization] == "Bearer \(token)"
        else { return false }
        var text =
            "\(request.method.name) \(request.target) HTTP/1.1\r\n"
            + "Host: \(request.gateway.address.authority(secure: request.gateway.secure))\r\n"
        request.fields.forEach { name, value in
            text += "\(String(decoding: name, as: UTF8.self)): "
            text += "\(String(decoding: value, as: UTF8.self))\r\n"
        }
        let body = request.body ?? []
        let transcript = ServerTranscript()
        transcript.receive(text + "Content-Length: \(body.count)\r\n\r\n")
        guard let head = transcript.heads.first,
            let claim = try? RequestSignature.read(
                head, body: body, authorities: state.identity.authorities, now: now)
        else { return false }
        return claim.holds(by: askerKey)
    }
}
