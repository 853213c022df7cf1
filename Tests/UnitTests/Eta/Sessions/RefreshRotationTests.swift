import API
import Base
import Domain
import Testing

@testable import Eta

/// http.md §2: a refresh token rotates; the one before works until the new pair is first used, each
/// time replacing that unused pair, whose tokens are then refused and nothing more; once the new
/// pair was used, showing an older one ends the session.
///
/// Random walks over one session, with every token it ever had, beside a model that says it in as
/// few words as the contract.
struct RefreshRotationTests {
    private struct Model {
        enum Standing { case newest, previous, spent, replaced }
        var pairs: [Standing] = [.newest]
        var isAlive = true

        /// Whether it answers with a new pair.
        mutating func refresh(_ index: Int) -> Bool {
            guard isAlive else { return false }
            switch pairs[index] {
            case .newest:
                useNewest()
                pairs[index] = .previous
            case .previous:
                if let newest = pairs.firstIndex(of: .newest) { pairs[newest] = .replaced }
            case .spent:
                isAlive = false
                return false
            case .replaced: return false
            }
            pairs.append(.newest)
            return true
        }

        /// Whether the access token counts.
        mutating func use(_ index: Int) -> Bool {
            guard isAlive, pairs[index] != .replaced else { return false }
            if pairs[index] == .newest { useNewest() }
            return true
        }

        private mutating func useNewest() {
            if let previous = pairs.firstIndex(of: .previous) { pairs[previous] = .spent }
        }
    }

    @Test(arguments: 0..<24 as Range<UInt64>)
    func `a session does what its model does, whatever token is shown`(seed: UInt64) async throws {
        let eta = try await TestRegistry()
        _ = try await eta.user("ada_l")
        let random = SeededRandom(seed: seed)
        let reil = FakeReil(eta.registry)
        var sessions = 0
        while sessions < 4 {
            sessions += 1
            var pairs = [
                await eta.ask(
                    "POST", "/api/auth/login",
                    ["username": "ada_l", "password": TestRegistry.password])
            ]
            var model = Model()
            for step in 0..<40 {
                // The newer ones more often, or no walk would get far.
                let age = min(random.next(below: 4) * random.next(below: 4), pairs.count - 1)
                let index = pairs.count - 1 - age
                let place = "seed \(seed), session \(sessions), step \(step), pair \(index)"
                if random.next(below: 2) == 0 {
                    let answer = await eta.ask(
                        "POST", "/api/auth/refresh", ["refresh": pairs[index]["refresh"] ?? .null])
                    let wasAlive = model.isAlive
                    let isRenewed = model.refresh(index)
                    #expect(answer.status == (isRenewed ? 200 : 401), "\(place)")
                    if isRenewed { pairs.append(answer) } else { #expect(answer.code == 3) }
                    if wasAlive, !model.isAlive {
                        guard case .session? = reil.revocations.last else {
                            Issue.record("no Reil was told, \(place)")
                            return
                        }
                    }
                } else {
                    let answer = await eta.ask(
                        "POST", "/internal/credentials", as: .gateway,
                        ["form": "access", "token": pairs[index]["token"] ?? .null])
                    let counts = model.use(index)
                    #expect(answer.status == (counts ? 200 : 401), "\(place)")
                }
                eta.clock.advance(by: .milliseconds(Int(random.next(below: 5_000))))
            }
        }
    }

    @Test func `two tabs that refresh at once both get a pair, and one of them counts`()
        async throws
    {
        let eta = try await TestRegistry()
        _ = try await eta.user("ada_l")
        let first = await eta.ask(
            "POST", "/api/auth/login", ["username": "ada_l", "password": TestRegistry.password])
        let refresh = first["refresh"] ?? .null
        async let one = eta.ask("POST", "/api/auth/refresh", ["refresh": refresh])
        async let two = eta.ask("POST", "/api/auth/refresh", ["refresh": refresh])
        let pairs = await [one, two]
        #expect(pairs.allSatisfy { $0.status == 200 })
        var good = 0
        for pair in pairs {
            let answer = await eta.ask(
                "POST", "/internal/credentials", as: .gateway,
                ["form": "access", "token": pair["token"] ?? .null])
            if answer.status == 200 { good += 1 } else { #expect(answer.code == 3) }
        }
        #expect(good == 1)
    }
}
