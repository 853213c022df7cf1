import Base
import Crypto
import Domain

/// What becomes of a session when one of its refresh tokens is shown, http.md §2.
enum RefreshDecision: Equatable {
    /// The newest pair is used, and by that confirmed: a new one follows it.
    case rotate
    /// The one before was shown again, since the answer with the newest got lost or another tab was
    /// faster: a new pair takes the place of the newest, which nobody used.
    case replaceUnused
    /// A token from before a pair that was used: somebody has a copy. The session ends.
    case endSession
    /// Nobody's, or past its time.
    case refuse
}

/// The rotation of refresh tokens, decided over values.
enum SessionRules {
    /// How long a refresh token counts.
    static let refreshLifetime: Duration = .seconds(30 * 24 * 3_600)

    /// How a shown token stands to its session.
    enum Standing { case newest, previous, spent }

    /// What showing it does.
    static func decide(
        _ standing: Standing, of session: SessionRow, now: Timestamp
    ) -> RefreshDecision {
        switch standing {
        case .newest: session.expiresAt > now ? .rotate : .refuse
        case .previous:
            (session.previousExpiresAt ?? now) > now ? .replaceUnused : .refuse
        case .spent: .endSession
        }
    }

    /// What a client may call itself in the list of sessions: one line, not too long.
    static func userAgent(_ text: String?) -> String? {
        guard let text else { return nil }
        let kept = text.unicodeScalars.filter { $0.value >= 32 && !(127..<160).contains($0.value) }
        return kept.isEmpty ? nil : String(String.UnicodeScalarView(kept.prefix(256)))
    }
}
