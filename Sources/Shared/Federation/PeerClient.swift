import API
import Base
import Crypto
import Domain
import HTTP

/// What another node answered, read as far as the envelope goes.
public struct PeerReply: Sendable {
    /// Who answered, with the gateway to use from now on.
    public let peer: Peer
    /// `data`; nil where the caller has it already (304).
    public let data: JSONValue?
    /// The fields.
    public let fields: Fields
}

/// Calls endpoints of other nodes: finds them, proves to them who calls, follows their gateways,
/// and makes of every failure the one code that the contract has for it.
public final class PeerClient: Sendable {
    /// Whether a request carries our server token.
    public enum Proof: Sendable {
        /// No.
        case none
        /// Where there is one; without, the request goes as nobody's.
        case ifHeld
        /// Yes; without one, a challenge earns it first.
        case required
    }

    private struct HeldToken {
        var token: ServerToken
        var expiresAt: Timestamp
        /// From when on it is renewed before it is used: nine tenths of what it had left.
        var renewAt: Timestamp
    }

    private let transport: any PeerTransport
    private let memory: any PeerMemory
    private let identity: @Sendable () -> NodeIdentity?
    private let allowsInsecure: Bool
    private let ambient: Ambient
    private let admits: @Sendable (ServerAddress) throws(APIError) -> Void
    private let figures: PeerFigures
    private let table = Lock(PeerTable())
    private let tokens = Lock<[ServerAddress: HeldToken]>([:])
    private let discoveries = SingleFlight<ServerAddress, Peer>()
    private let challenges = SingleFlight<ServerAddress, ServerToken>()

    /// A client for the node that `identity` describes, once that is known; `admits` refuses nodes
    /// with which there are no dealings.
    public init(
        transport: any PeerTransport, memory: any PeerMemory, allowsInsecure: Bool,
        ambient: Ambient,
        admits: @escaping @Sendable (ServerAddress) throws(APIError) -> Void = { _ in },
        identity: @escaping @Sendable () -> NodeIdentity?
    ) {
        self.transport = transport
        self.memory = memory
        self.allowsInsecure = allowsInsecure
        self.ambient = ambient
        self.admits = admits
        self.identity = identity
        figures = PeerFigures(ambient.metrics)
    }

    // MARK: Calls

    /// Calls an endpoint of another node.
    ///
    /// - Throws: 5, 6, 7, 8, 9, 11, 57, 61, or what the node says of the object.
    public func call<Path, Body: Encodable, Output: Decodable>(
        _ endpoint: Endpoint<Path, Body, Output>, _ body: Body, captures: [String] = [],
        at address: ServerAddress, proof: Proof
    ) async throws(APIError) -> (output: Output, peer: Peer) {
        var payload: [UInt8]?
        if case .json = endpoint.facts.body { payload = JSONCoder.encode(body) }
        let reply = try await exchange(
            endpoint.facts.method, endpoint.facts.target(captures), body: payload, at: address,
            proof: proof)
        return (try Self.decode(Output.self, from: reply.data), reply.peer)
    }

    /// Reads something of another node; `tag`: what of it is here already.
    public func read(
        _ target: String, tag: String?, at address: ServerAddress
    ) async throws(APIError) -> PeerReply {
        try await exchange(.get, target, tag: tag, at: address, proof: .ifHeld)
    }

    /// Reads `data` as an object of the contract.
    ///
    /// - Throws: 7 without data, 11 where it is of another shape.
    public static func decode<Output: Decodable>(
        _ type: Output.Type, from data: JSONValue?
    ) throws(APIError) -> Output {
        guard let data else { throw APIError(.noDataFromServer) }
        do throws(InvalidFields) {
            return try JSONCoder.decode(type, from: data)
        } catch {
            throw APIError(
                .badStructureFromServer,
                context: error.problems.map { "\($0.field): \($0.message)" }
                    .joined(separator: "; "))
        }
    }

    private func exchange(
        _ method: Method, _ target: String, body: [UInt8]? = nil, tag: String? = nil,
        at address: ServerAddress, proof: Proof
    ) async throws(APIError) -> PeerReply {
        var peer = try await self.peer(address)
        var token: ServerToken? =
            switch proof {
            case .none: nil
            case .ifHeld: heldToken(address)
            case .required: try await serverToken(address)
            }
        var isRedirected = false
        var isRenewed = false
        while true {
            let (request, answer) = try await send(to: &peer) { gateway throws(APIError) in
                try self.request(
                    method, target, body: body, tag: tag, to: gateway, token: token)
            }
            let word = try Word(answer, wasTagged: tag != nil)
            if let gateway = word.gateway { peer = try await follow(gateway, of: peer) }
            guard let error = word.error else {
                return PeerReply(peer: peer, data: word.data, fields: answer.fields)
            }
            if error.code == .retryWithNewGateway {
                guard !isRedirected, word.gateway != nil, peer.gateway != request.gateway else {
                    throw APIError(.badRedirectionFromServer, context: "sent on in a circle")
                }
                isRedirected = true
            } else if error.code == .userNotLogged, let refused = token, !isRenewed {
                isRenewed = true
                drop(refused, of: address)
                token = proof == .required ? try await serverToken(address, not: refused) : nil
            } else {
                throw Self.foreign(error)
            }
        }
    }

    private func request(
        _ method: Method, _ target: String, body: [UInt8]?, tag: String?, to gateway: Gateway,
        token: ServerToken?
    ) throws(APIError) -> PeerRequest {
        let own = try ownIdentity()
        var fields = Fields(
            (.userAgent, "Reileta/\(own.version)\(token == nil ? "" : " AVR(Server)")"))
        if body != nil { fields.append(.contentType, "application/json") }
        if let tag { fields.append(.ifNoneMatch, tag) }
        if let token {
            let now = ambient.clock.timestamp()
            guard let key = own.signingKey(at: now) else {
                throw .internalError("every key of this node has run out")
            }
            let end = target.firstIndex(of: "?") ?? target.endIndex
            let parts = RequestSignature.Parts(
                method: method.name.description,
                authority: gateway.address.authority(secure: gateway.secure),
                path: String(target[..<end]), query: "?" + target[end...].dropFirst(),
                digest: RequestSignature.digest(of: body ?? []),
                authorization: "Bearer \(token.text)")
            let signed = RequestSignature.sign(
                parts, with: key, nonce: ambient.random.bytes(NonceLedger.nonceLength), now: now)
            fields.append(.authorization, "Bearer \(token.text)")
            fields.append(.contentDigest, parts.digest)
            fields.append(.signatureInput, signed.input)
            fields.append(.signature, signed.signature)
        }
        return PeerRequest(
            gateway: gateway, method: method, target: target, fields: fields, body: body)
    }

    /// Sends a request to the node's gateway, or to another one of it where nobody takes
    /// connections there any more.
    private func send(
        to peer: inout Peer, _ request: (Gateway) throws(APIError) -> PeerRequest
    ) async throws(APIError) -> (PeerRequest, PeerAnswer) {
        let address = peer.address
        let others = peer.gateways.filter { [peer] in $0 != peer.gateway && peer.admits($0) }
        var failure = PeerFailure.cancelled
        for gateway in [peer.gateway] + others.prefix(2) {
            let sent = try request(gateway)
            do throws(PeerFailure) {
                let answer = try await transport.exchange(sent)
                peer.gateway = gateway
                figures.count("answered", address)
                table.withLock { table in
                    table.answered(address)
                    table.use(gateway, of: address)
                }
                return (sent, answer)
            } catch {
                failure = error
                figures.count(error.word, address)
            }
            guard case .unreachable = failure else { break }
        }
        switch failure {
        case .refused: throw APIError(.addressRefused, context: address.text)
        case .malformed(let why): throw APIError(.badDataFromServer, context: why)
        case .busy: throw .overloaded(context: "too much waits for \(address)")
        case .unknown, .unreachable, .silent, .untrusted:
            let now = ambient.clock.now()
            table.withLock { $0.silent(address, now: now) }
            throw APIError(.noResponseFromServer, context: "\(address): \(failure)")
        case .cancelled: throw APIError(.noResponseFromServer)
        }
    }

    /// The codes that another node may give in our name; what else it says is its own affair.
    private static func foreign(_ error: APIError) -> APIError {
        switch error.code {
        case .userNotFound, .worldNotFound, .assetNotFound, .instanceNotFound, .playerNotFound,
            .integrityNotFound, .challengeNotFound, .fileNotUploaded, .userDontHaveHome,
            .userInvalidInput, .worldInvalidInput, .assetInvalidInput, .instanceInvalidInput,
            .integrityInvalidInput, .serverInvalidInput, .objectNotInternal, .serverDenied,
            .userSuspended:
            return APIError(error.code, details: error.details)
        case .tooManyRequests, .overloaded, .internalError, .serviceDisabled, .insufficientStorage:
            return APIError(
                .noResponseFromServer, retryAfter: error.retryAfter,
                context: "answered \(error.code.rawValue)")
        case .userNotLogged, .wrongCredential, .challengeFailed, .userDontHavePermission:
            return APIError(.serverDenied, context: "answered \(error.code.rawValue)")
        case _:
            return APIError(.badDataFromServer, context: "answered \(error.code.rawValue)")
        }
    }

    // MARK: Finding

    /// Another node, by its document.
    ///
    /// - Throws: 5, 6, 8, 57, 61; 29 for this node itself.
    public func peer(_ address: ServerAddress) async throws(APIError) -> Peer {
        guard try ownIdentity().address != address else {
            throw APIError(.serverInvalidInput, field: "server", "is this node itself")
        }
        try require(address)
        let now = ambient.clock.now()
        switch table.withLock({ $0.find(address, now: now) }) {
        case .fresh(let peer): return peer
        case .failed(let error): throw error
        case .ask:
            return try await discoveries.run(address) { () throws(APIError) -> Peer in
                let now = self.ambient.clock.now()
                // Whoever was here a moment before may just have done it.
                if case .fresh(let peer) = self.table.withLock({ $0.find(address, now: now) }) {
                    return peer
                }
                return try await self.discover(address)
            }
        }
    }

    /// Refuses a node with which there are no dealings, for who answers from memory.
    ///
    /// - Throws: 57.
    public func require(_ address: ServerAddress) throws(APIError) { try admits(address) }

    /// A key that another node publishes; an id that is not known has the document read again, at
    /// most once a minute.
    ///
    /// - Throws: 60 when the node publishes no such key; what finding it throws.
    public func key(
        _ id: String, of address: ServerAddress
    ) async throws(APIError) -> Ed25519PublicKey {
        let peer: Peer
        do throws(APIError) {
            peer = try await self.peer(address)
        } catch {
            // A node that calls us may be hard to reach for a moment; its keys are what they were.
            let now = ambient.clock.now()
            guard error.code == .noResponseFromServer,
                let known = table.withLock({ $0.remembered(address, now: now) })
            else { throw error }
            peer = known
        }
        if let key = peer.key(id, now: ambient.clock.timestamp()) { return key }
        let now = ambient.clock.now()
        if table.withLock({ $0.mayRefresh(address, now: now) }),
            let key = try await self.peer(address).key(id, now: ambient.clock.timestamp())
        {
            return key
        }
        throw APIError(.challengeFailed, context: "\(address) publishes no key \(id)")
    }

    /// The node showed by an authenticated request that it lives.
    public func heard(from address: ServerAddress) { table.withLock { $0.answered(address) } }

    /// Forgets a node, and our token there: met again, it is met for the first time.
    public func forget(_ address: ServerAddress) {
        table.withLock { $0.forget(address) }
        tokens.withLock { $0[address] = nil }
    }

    /// Forgets all nodes, whose keys the memory has.
    public func forgetAll() {
        table.withLock { $0 = PeerTable() }
        tokens.withLock { $0 = [:] }
    }

    private func ownIdentity() throws(APIError) -> NodeIdentity {
        guard let own = identity() else { throw .overloaded(context: "no word of eta yet") }
        return own
    }

    private func discover(_ address: ServerAddress) async throws(APIError) -> Peer {
        let known = try await memory.recall(address)
        do throws(APIError) {
            let (answer, overTLS) = try await fetchDocument(
                address, onlySecure: known?.secure ?? false)
            let peer = try await believe(answer, of: address, known: known, overTLS: overTLS)
            let now = ambient.clock.now()
            let freshness = PeerTable.freshness(answer.fields[.cacheControl])
            table.withLock { $0.found(peer, freshFor: freshness, now: now) }
            figures.found(address)
            await memory.note(address, failure: nil)
            return peer
        } catch {
            figures.count("not_found", address)
            // Our own trouble is no failure of the other node.
            if error.code != .overloaded, !Task.isCancelled {
                let now = ambient.clock.now()
                table.withLock { $0.failed(address, error, now: now) }
                // Of made-up addresses nothing is known, and nothing is written.
                if known != nil { await memory.note(address, failure: error.code) }
            }
            throw error
        }
    }

    /// Over https; over http only where that is allowed and the node was never seen otherwise.
    private func fetchDocument(
        _ address: ServerAddress, onlySecure: Bool
    ) async throws(APIError) -> (PeerAnswer, Bool) {
        func fetch(_ secure: Bool) async throws(PeerFailure) -> PeerAnswer {
            try await transport.exchange(
                PeerRequest(
                    gateway: Gateway(secure: secure, address: address), method: .get,
                    target: DiscoveryDocument.path))
        }
        let failure: PeerFailure
        do throws(PeerFailure) {
            return (try await fetch(true), true)
        } catch {
            failure = error
        }
        switch failure {
        case .unreachable, .silent, .untrusted, .malformed:
            guard allowsInsecure, !onlySecure else { throw Self.undiscovered(failure, address) }
        case .unknown, .refused, .busy, .cancelled: throw Self.undiscovered(failure, address)
        }
        do throws(PeerFailure) {
            return (try await fetch(false), false)
        } catch {
            throw Self.undiscovered(error, address)
        }
    }

    private static func undiscovered(
        _ failure: PeerFailure, _ address: ServerAddress
    ) -> APIError {
        switch failure {
        case .unknown: APIError(.serverNotFound, context: "\(address) has no address")
        case .untrusted(let why), .malformed(let why):
            APIError(.serverNotFound, context: "\(address): \(why)")
        case .refused: APIError(.addressRefused, context: address.text)
        case .unreachable(let why), .silent(let why):
            APIError(.noResponseFromServer, context: "\(address): \(why)")
        case .busy: .overloaded(context: "too much waits for \(address)")
        case .cancelled: APIError(.noResponseFromServer)
        }
    }

    private func believe(
        _ answer: PeerAnswer, of address: ServerAddress, known: RegistryAPI.NodeRecord?,
        overTLS: Bool
    ) async throws(APIError) -> Peer {
        guard answer.status == .ok else {
            throw APIError(.serverNotFound, context: "\(address): status \(answer.status.code)")
        }
        let now = ambient.clock.timestamp()
        let document: DiscoveryDocument
        do throws(DiscoveryDocument.Refusal) {
            document = try DiscoveryDocument(reading: answer.body, of: address, now: now)
        } catch {
            switch error {
            case .wrongAddress: throw APIError(.badDataFromServer, context: "\(address): other")
            case .invalid(let why):
                throw APIError(.serverNotFound, context: "\(address): \(why)")
            }
        }
        guard overTLS || !document.secure else {
            throw APIError(.serverNotFound, context: "\(address) says https and answers http")
        }
        let judgement = KeyTrust.judge(
            known: known?.keys ?? [], wasSecure: known?.secure ?? false, document: document.keys,
            overTLS: overTLS, allowsInsecure: allowsInsecure, now: now)
        let secure = overTLS || known?.secure == true
        let gateway = table.withLock { $0.gateway(of: address) } ?? known?.gateway
        let peer = Peer(document: document, secure: secure, preferred: gateway)
        let record = RegistryAPI.NodeRecord(
            address: address, secure: judgement.isAccepted ? secure : known?.secure ?? false,
            keys: judgement.keys, gateway: judgement.isAccepted ? peer.gateway : known?.gateway,
            token: known?.token, tokenExpiresAt: known?.tokenExpiresAt)
        if known == nil || known?.keys != record.keys || known?.secure != record.secure
            || known?.gateway != record.gateway
        {
            try await memory.remember(record)
        }
        if !judgement.introduced.isEmpty {
            ambient.log.notice(
                judgement.isAccepted ? "peer has new keys" : "peer keys wait",
                .peer(address.text),
                .text("keys", judgement.introduced.joined(separator: " ")))
        }
        guard judgement.isAccepted else {
            throw APIError(
                .serverNotFound, context: "\(address): nobody who is known vouches for its keys")
        }
        guard peer.admits(peer.gateway) else {
            throw APIError(
                .badRedirectionFromServer, context: "\(address) leads from https to http")
        }
        return peer
    }

    /// Goes where the node says that its requests should go, if it is the node's.
    private func follow(_ gateway: Gateway, of known: Peer) async throws(APIError) -> Peer {
        var peer = known
        if gateway == peer.gateway { return peer }
        let now = ambient.clock.now()
        if !peer.gateways.contains(gateway),
            table.withLock({ $0.mayRefresh(peer.address, now: now) })
        {
            peer = try await self.peer(peer.address)
        }
        guard peer.admits(gateway) else {
            throw APIError(
                .badRedirectionFromServer,
                context: "\(peer.address) does not name \(gateway.field)")
        }
        peer.gateway = gateway
        table.withLock { $0.use(gateway, of: peer.address) }
        if let record = try await memory.recall(peer.address), record.gateway != gateway {
            try await memory.remember(record.with(gateway: gateway))
        }
        return peer
    }

    // MARK: Server tokens

    private func heldToken(_ address: ServerAddress) -> ServerToken? {
        let now = ambient.clock.timestamp()
        return tokens.withLock { $0[address] }.flatMap { $0.expiresAt > now ? $0.token : nil }
    }

    private func drop(_ token: ServerToken, of address: ServerAddress) {
        tokens.withLock { if $0[address]?.token == token { $0[address] = nil } }
    }

    /// Our token at that node: the one that is held, the one that another Reil of ours got, or a
    /// new one by a challenge.
    private func serverToken(
        _ address: ServerAddress, not refused: ServerToken? = nil
    ) async throws(APIError) -> ServerToken {
        let now = ambient.clock.timestamp()
        let held = tokens.withLock { $0[address] }
        if let held, held.renewAt > now { return held.token }
        return try await challenges.run(address) { () throws(APIError) -> ServerToken in
            if let record = try await self.memory.recall(address), let token = record.token,
                token != refused, token != held?.token, let end = record.tokenExpiresAt, end > now
            {
                self.hold(token, until: end, of: address)
                return token
            }
            do throws(APIError) {
                return try await self.earnToken(address)
            } catch {
                // One that is near its end is still one.
                guard let held = self.heldToken(address) else { throw error }
                return held
            }
        }
    }

    private func hold(_ token: ServerToken, until end: Timestamp, of address: ServerAddress) {
        let now = ambient.clock.timestamp()
        let held = HeldToken(token: token, expiresAt: end, renewAt: now + (end - now) * 9 / 10)
        tokens.withLock { tokens in
            if tokens.count >= PeerTable.limit { tokens = [:] }
            tokens[address] = held
        }
    }

    /// The asker's side of a challenge.
    private func earnToken(_ address: ServerAddress) async throws(APIError) -> ServerToken {
        let own = try ownIdentity()
        guard let key = own.signingKey(at: ambient.clock.timestamp()) else {
            throw .internalError("every key of this node has run out")
        }
        let challenge = try await call(
            ChallengeAPI.open, ChallengeAPI.Opening(server: own.address), at: address,
            proof: .none
        ).output
        guard
            let proof = ChallengeText.prove(
                challenge, asker: own.address, asked: address, key: key)
        else { throw APIError(.badDataFromServer, context: "\(address): no challenge of ours") }
        let proved = try await call(
            ChallengeAPI.prove, proof, captures: [challenge.id.text], at: address, proof: .none
        ).output
        let now = ambient.clock.timestamp()
        guard proved.server == own.address, proved.expiresAt > now else {
            throw APIError(.badDataFromServer, context: "\(address): no token of ours")
        }
        // A day and no more, whatever it says: what is kept for ever is never looked at again.
        let end = min(proved.expiresAt, now + .seconds(86_400))
        hold(proved.token, until: end, of: address)
        if let record = try await memory.recall(address) {
            try await memory.remember(record.with(token: proved.token, until: end))
        }
        ambient.log.info("server token earned", .peer(address.text))
        return proved.token
    }
}

/// An answer's envelope.
private struct Word {
    let data: JSONValue?
    let error: APIError?
    /// Where the answer says that requests should go from now on.
    let gateway: Gateway?

    init(_ answer: PeerAnswer, wasTagged: Bool) throws(APIError) {
        var told: Gateway?
        if let field = answer.fields[.avrGateway] {
            guard let gateway = Gateway(field: field) else {
                throw APIError(.badRedirectionFromServer, context: "AVR-Gateway: \(field)")
            }
            told = gateway
        }
        if answer.status == .notModified, wasTagged {
            (data, error, gateway) = (nil, nil, told)
            return
        }
        guard let envelope = (try? JSONParser.parse(answer.body))?.objectValue else {
            throw APIError(.badDataFromServer, context: "no envelope, \(answer.status.code)")
        }
        if let redirect = envelope["redirect"], !redirect.isNull {
            guard let gateway = try? JSONCoder.decode(Gateway.self, from: redirect) else {
                throw APIError(.badRedirectionFromServer, context: "redirect of another shape")
            }
            told = gateway
        }
        gateway = told
        if let error = envelope["error"], !error.isNull {
            guard let number = error["code"]?.integerValue,
                let code = UInt16(exactly: number).flatMap(ErrorCode.init)
            else { throw APIError(.badDataFromServer, context: "an error without a known code") }
            let details = error["details"].flatMap {
                try? JSONCoder.decode([FieldProblem].self, from: $0)
            }
            let wait = answer.fields[.retryAfter].flatMap { Int64($0) }
            self.error = APIError(
                code, details: Array((details ?? []).prefix(32)),
                retryAfter: wait.map { .seconds(min(max($0, 1), 3_600)) })
            data = nil
        } else {
            error = nil
            guard let data = envelope["data"], !data.isNull else {
                throw APIError(.noDataFromServer)
            }
            self.data = data
        }
    }
}

extension RegistryAPI.NodeRecord {
    /// The same node at another gateway.
    func with(gateway: Gateway) -> RegistryAPI.NodeRecord {
        RegistryAPI.NodeRecord(
            address: address, secure: secure, keys: keys, gateway: gateway, token: token,
            tokenExpiresAt: tokenExpiresAt)
    }

    /// The same node with that token.
    func with(token: ServerToken, until end: Timestamp) -> RegistryAPI.NodeRecord {
        RegistryAPI.NodeRecord(
            address: address, secure: secure, keys: keys, gateway: gateway, token: token,
            tokenExpiresAt: end)
    }
}
