import API
import Base
import Crypto
import Domain

/// Which credentials count now, as Eta told: asked once, forgotten when Eta revokes.
public final class TokenCache: Sendable {
    /// What a credential says.
    public typealias Entry = RegistryAPI.ResolvedCredential

    /// What a revocation names.
    private enum Owner: Hashable {
        case session(SessionID)
        case user(UserID)
        case integrity(IntegrityID)
        case server(ServerAddress)
        case ins(String)
    }

    private struct State {
        var entries: [SHA256Digest: Entry] = [:]
        var owned: [Owner: Set<SHA256Digest>] = [:]
        /// Credentials that nobody knows, and until when not to ask again.
        var unknown: [SHA256Digest: Instant] = [:]
        /// Rises with each revocation: an answer that was asked for before one is not kept.
        var revocations: UInt64 = 0
    }

    /// Credentials kept; beyond it all are forgotten and asked for again.
    private static let limit = 200_000
    private static let unknownLimit = 20_000
    private static let unknownTime = Duration.seconds(1)

    private let state = Lock(State())

    /// Nothing is known yet.
    public init() {}

    /// What is known of a credential.
    public enum Finding: Sendable {
        case known(Entry)
        /// Eta said a moment ago that it is nobody's.
        case refused
        /// Ask; the number goes with the answer.
        case ask(revocations: UInt64)
    }

    /// Looks a credential up.
    public func find(_ digest: SHA256Digest, at time: Timestamp, now: Instant) -> Finding {
        state.withLock { state in
            if let entry = state.entries[digest] {
                if entry.expiresAt > time { return .known(entry) }
                Self.forget(digest, &state)
                return .refused
            }
            if let until = state.unknown[digest], until > now { return .refused }
            return .ask(revocations: state.revocations)
        }
    }

    /// Keeps what Eta said, unless something was revoked since it was asked: false, ask again.
    public func keep(_ entry: Entry, of digest: SHA256Digest, asked revocations: UInt64) -> Bool {
        state.withLock { state in
            guard state.revocations == revocations else { return false }
            if state.entries.count >= Self.limit {
                state.entries = [:]
                state.owned = [:]
            }
            state.entries[digest] = entry
            for owner in Self.owners(of: entry) { state.owned[owner, default: []].insert(digest) }
            return true
        }
    }

    /// Remembers for a moment that a credential is nobody's.
    public func keepUnknown(_ digest: SHA256Digest, now: Instant) {
        state.withLock { state in
            if state.unknown.count >= Self.unknownLimit { state.unknown = [:] }
            state.unknown[digest] = now + Self.unknownTime
        }
    }

    /// Forgets what `revocation` names.
    public func revoke(_ revocation: Revocation) {
        state.withLock { state in
            state.revocations += 1
            switch revocation {
            case .session(let session): Self.forget(.session(session), &state) { _ in true }
            case .sessions(let user, let kept):
                Self.forget(.user(user), &state) { $0.caller.user?.session != kept }
            case .generation(let session, let generation):
                Self.forget(.session(session), &state) { ($0.generation ?? 0) <= generation }
            case .rights(let user), .user(let user):
                Self.forget(.user(user), &state) { _ in true }
            case .integrity(let id): Self.forget(.integrity(id), &state) { _ in true }
            case .server(let address): Self.forget(.server(address), &state) { _ in true }
            case .ins(let id): Self.forget(.ins(id), &state) { _ in true }
            }
        }
    }

    /// Forgets everything: Eta was out of reach, and nobody knows what it revoked meanwhile.
    public func clear() {
        state.withLock { state in
            state.revocations += 1
            state.entries = [:]
            state.owned = [:]
            state.unknown = [:]
        }
    }

    private static func owners(of entry: Entry) -> [Owner] {
        switch entry.caller {
        case .user(let user): [.session(user.session), .user(user.id)]
        case .visitor(let visitor): [.integrity(visitor.integrity), .server(visitor.home)]
        case .server(let address): [.server(address)]
        case .ins: entry.ins.map { [.ins($0)] } ?? []
        case .nobody, .gateway: []
        }
    }

    private static func forget(
        _ owner: Owner, _ state: inout State, where isMeant: (Entry) -> Bool
    ) {
        for digest in state.owned[owner] ?? [] {
            if let entry = state.entries[digest], isMeant(entry) { forget(digest, &state) }
        }
    }

    private static func forget(_ digest: SHA256Digest, _ state: inout State) {
        guard let entry = state.entries.removeValue(forKey: digest) else { return }
        for owner in owners(of: entry) {
            state.owned[owner]?.remove(digest)
            if state.owned[owner]?.isEmpty == true { state.owned[owner] = nil }
        }
    }
}

extension VisitorCaller {
    /// The node that vouches for the visitor.
    var home: ServerAddress {
        guard let server = user.server else { preconditionFailure("a visitor without a home") }
        return server
    }
}
