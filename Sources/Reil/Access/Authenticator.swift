import API
import Base
import Crypto
import Domain
import HTTP

/// From a credential to the caller: its form, its marker, the cache, Eta.
public final class Authenticator: GateCheck {
    /// What is printed at start.
    public let name = "authenticate"
    private let eta: EtaLink
    private let cache: TokenCache
    private let ambient: Ambient
    private let limiter: RateLimiter

    /// An authenticator that asks `eta` for what `cache` does not know, as often as `limiter` lets.
    init(
        eta: EtaLink, cache: TokenCache, limiter: RateLimiter, ambient: Ambient
    ) {
        self.eta = eta
        self.cache = cache
        self.limiter = limiter
        self.ambient = ambient
    }

    /// Finds out who calls, where nobody has to be asked.
    ///
    /// - Throws: 3 for a dead credential, 54 for one of another kind than the marker says, 70 while
    ///   Eta cannot be asked.
    public func check(_ passage: inout Passage) throws(APIError) -> Bool {
        let found = CredentialFinder.find(in: passage.request.head, for: passage.endpoint)
        passage.isDeprecated = found.isDeprecated
        guard let credential = try found.credential() else { return true }
        guard case .known(let entry) = try find(SHA256.hash(credential.token)) else { return false }
        passage.caller = entry.caller
        return true
    }

    /// Asks Eta who calls.
    ///
    /// - Throws: as `check`, and 55 for an address that shows too many that nobody knows yet.
    public func ask(_ passage: inout Passage) async throws(APIError) {
        let found = CredentialFinder.find(in: passage.request.head, for: passage.endpoint)
        guard let credential = try found.credential() else { return }
        try limiter.countUnknown(from: passage.client)
        passage.caller = try await resolve(
            credential.form, credential.token, on: passage.request.loop
        ).caller
    }

    /// What is known of a credential.
    private func find(_ digest: SHA256Digest) throws(APIError) -> TokenCache.Finding {
        let now = ambient.clock.now()
        guard eta.hasLease(at: now) else {
            throw .overloaded(context: "a credential cannot be checked without Eta")
        }
        let finding = cache.find(digest, at: ambient.clock.timestamp(), now: now)
        if case .refused = finding { throw APIError(.userNotLogged) }
        return finding
    }

    /// What a credential says now.
    func resolve(
        _ form: CredentialForm, _ token: [UInt8], on loop: any LoopExecutor
    ) async throws(APIError) -> TokenCache.Entry {
        let digest = SHA256.hash(token)
        // More than one revocation between question and answer is bad luck; three are a flood.
        for _ in 0..<3 {
            switch try find(digest) {
            case .known(let entry): return entry
            case .refused: throw APIError(.userNotLogged)
            case .ask(let revocations):
                let time = ambient.clock.timestamp()
                let entry = try await ask(form, token, digest, time, on: loop)
                if cache.keep(entry, of: digest, asked: revocations) { return entry }
            }
        }
        throw .overloaded(context: "credentials are revoked faster than they can be checked")
    }

    private func ask(
        _ form: CredentialForm, _ token: [UInt8], _ digest: SHA256Digest, _ time: Timestamp,
        on loop: any LoopExecutor
    ) async throws(APIError) -> TokenCache.Entry {
        if form == .access {
            do throws(JWTError) {
                _ = try JWT.verify(token, keys: eta.accessKeys, now: time)
            } catch {
                throw APIError(.userNotLogged)
            }
        }
        guard CredentialForm.detect(token.span) == form else { throw APIError(.userNotLogged) }
        let query = RegistryAPI.CredentialQuery(
            token: String(decoding: token, as: UTF8.self))
        do throws(APIError) {
            return try await eta.call(RegistryAPI.resolve, query, on: loop)
        } catch {
            if error.code == .userNotLogged {
                cache.keepUnknown(digest, now: ambient.clock.now())
            }
            throw error
        }
    }
}

/// Where a request holds its credential, docs/client, "Who calls".
enum CredentialFinder {
    struct Found {
        fileprivate var shown: (token: ArraySlice<UInt8>, marker: Marker?)?
        var isDeprecated = false

        /// A field of the query is shown.
        fileprivate mutating func show(_ name: String, _ value: String) {
            isDeprecated = name != "token"
            let marker: Marker? =
                switch name {
                case "authuser", "integrityuser": .user
                case "authserver": .server
                case _: nil
                }
            shown = (Array(value.utf8)[...], marker)
        }

        /// The credential, if one was shown.
        ///
        /// - Throws: 3 for what is none, 54 for one of another kind than the marker says.
        func credential() throws(APIError) -> (form: CredentialForm, token: [UInt8])? {
            guard let shown else { return nil }
            guard let form = CredentialForm.presume(shown.token.span) else {
                throw APIError(.userNotLogged)
            }
            switch (form, shown.marker) {
            case (.access, .server), (.integrity, .server), (.server, .user):
                throw APIError(.wrongCredential)
            case _: return (form, Array(shown.token))
            }
        }
    }

    private static let bearer = Array("bearer ".utf8)

    /// What an endpoint looks at.
    static func find(in head: RequestHead, for endpoint: EndpointFacts) -> Found {
        switch endpoint.credentials {
        case .checked: return find(in: head)
        case .foreign: return findOwn(in: head)
        case .ignored:
            var found = Found()
            found.isDeprecated = find(in: head).isDeprecated
            return found
        }
    }

    static func find(in head: RequestHead) -> Found {
        var found = Found()
        let inQuery = CredentialField.find(in: head)
        if let field = head.field(.authorization) {
            found.shown = (strip(field), marker(of: head))
        } else if let (name, value) = inQuery?.first {
            found.show(name, value)
        }
        return found
    }

    /// What a request shows to somebody behind the node: the first that has the form of a
    /// credential of the node counts, all others are not for it.
    static func findOwn(in head: RequestHead) -> Found {
        if isOwn(head.field(.authorization)) { return find(in: head) }
        var found = Found()
        let pairs = head.query?.split(separator: UInt8(ascii: "&")) ?? []
        if let pair = pairs.first(where: isOwnCredential(pair:)), let named = Self.named(pair) {
            found.show(named.name, named.value)
        }
        return found
    }

    /// Whether the value of an `Authorization` field has the form of a credential of the node.
    static func isOwn(_ field: ArraySlice<UInt8>?) -> Bool { isOwn(token: field.map(strip)) }

    /// Whether a field of a query is a credential of the node.
    static func isOwnCredential(pair: ArraySlice<UInt8>) -> Bool {
        guard let (name, value) = named(pair), CredentialField.names.contains(name) else {
            return false
        }
        return isOwn(token: Array(value.utf8)[...])
    }

    private static func named(_ pair: ArraySlice<UInt8>) -> (name: String, value: String)? {
        let name = pair.prefix { $0 != UInt8(ascii: "=") }
        guard let key = Percent.decode(name, plusIsSpace: true),
            let value = Percent.decode(pair[name.endIndex...].dropFirst(), plusIsSpace: true)
        else { return nil }
        return (key, value)
    }

    /// Whether a token has the form of the node's, and not of somebody else's.
    fileprivate static func isOwn(token: ArraySlice<UInt8>?) -> Bool {
        guard let token, let form = CredentialForm.detect(token.span) else { return false }
        return form != .access || JWT.isOwn(token)
    }

    fileprivate enum Marker { case user, server }

    private static func marker(of head: RequestHead) -> Marker? {
        guard let agent = head.field(.userAgent) else { return nil }
        // Nearly every agent has no parenthesis behind `AVR`: one look at each byte.
        var index = agent.startIndex
        while index + 9 <= agent.endIndex {
            if agent[index] == UInt8(ascii: "A") {
                if agent[index...].starts(with: userMarker) { return .user }
                if agent[index...].starts(with: serverMarker) { return .server }
            }
            index += 1
        }
        return nil
    }

    private static let userMarker = Array("AVR(User)".utf8)
    private static let serverMarker = Array("AVR(Server)".utf8)

    /// The value without `Bearer `, which older clients leave out.
    private static func strip(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard field.count > bearer.count else { return field }
        for (index, letter) in bearer.enumerated()
        where field[field.startIndex + index] | 32 != letter {
            return field
        }
        return field.dropFirst(bearer.count).drop { $0 == UInt8(ascii: " ") }
    }
}

/// The client's own address where a proxy that is trusted passes it on.
enum ForwardedClient {
    static func address(of request: Request, trusting proxies: [NetworkRange]) -> IPAddress {
        guard !proxies.isEmpty, isTrusted(request.client, proxies) else { return request.client }
        var client = request.client
        for entry in request.head.list(.xForwardedFor).reversed() {
            guard let address = IPAddress(String(decoding: entry, as: UTF8.self)) else {
                return client
            }
            client = address
            if !isTrusted(address, proxies) { return client }
        }
        return client
    }

    private static func isTrusted(_ address: IPAddress, _ proxies: [NetworkRange]) -> Bool {
        proxies.contains { $0.contains(address) }
    }
}
