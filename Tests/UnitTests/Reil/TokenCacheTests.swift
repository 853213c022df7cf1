import API
import Base
import Crypto
import Domain
import Testing

@testable import Reil

/// What counts is what Eta said last: an answer that was under way while its credential was
/// revoked is not kept, and one that has nothing to do with a revocation is.
struct TokenCacheTests {
    private let clock = SystemClock()
    private let random = SeededRandom(seed: 3)

    private func entry(_ user: UserID, _ session: SessionID) -> TokenCache.Entry {
        TokenCache.Entry(
            caller: .user(UserCaller(id: user, session: session, tags: [])),
            expiresAt: Timestamp(milliseconds: .max), generation: 1)
    }

    private func id<Kind>() -> ID<Kind> { ID.make(clock: clock, random: random) }

    private func digest(_ number: Int) -> SHA256Digest { SHA256.hash("\(number)") }

    private func ask(_ cache: TokenCache, _ number: Int) -> UInt64? {
        let finding = cache.find(
            digest(number), at: Timestamp(milliseconds: 0), now: Instant(nanoseconds: 0))
        if case .ask(let revocations) = finding { return revocations }
        return nil
    }

    @Test func `an answer from before its own revocation is not kept, any other is`() throws {
        let cache = TokenCache()
        let (user, other) = (id() as UserID, id() as UserID)
        let (session, further) = (id() as SessionID, id() as SessionID)
        let asked = try #require(ask(cache, 1))
        cache.revoke(.session(session, of: user))
        #expect(!cache.keep(entry(user, session), of: digest(1), asked: asked))
        #expect(cache.keep(entry(user, further), of: digest(2), asked: asked))
        cache.revoke(.user(other))
        #expect(ask(cache, 2) == nil)
        cache.revoke(.sessions(of: user, except: further))
        #expect(ask(cache, 2) == nil)
        cache.revoke(.generation(further, of: user, 1))
        #expect(ask(cache, 2) != nil)
    }

    @Test func `what was asked before all was forgotten is not kept`() throws {
        let cache = TokenCache()
        let asked = try #require(ask(cache, 1))
        cache.clear()
        #expect(!cache.keep(entry(id(), id()), of: digest(1), asked: asked))
    }

    @Test func `of more revocations than are remembered nothing is assumed`() throws {
        let cache = TokenCache()
        let mine = entry(id(), id())
        let asked = try #require(ask(cache, 1))
        for _ in 0..<4_096 { cache.revoke(.user(id())) }
        #expect(cache.keep(mine, of: digest(1), asked: asked))
        cache.revoke(.user(id()))
        #expect(!cache.keep(mine, of: digest(2), asked: asked))
        cache.clear()
        let later = try #require(ask(cache, 3))
        for _ in 0..<5_000 { cache.revoke(.user(id())) }
        #expect(!cache.keep(mine, of: digest(3), asked: later))
        let newest = try #require(ask(cache, 3))
        cache.revoke(.user(id()))
        #expect(cache.keep(mine, of: digest(3), asked: newest))
    }
}
