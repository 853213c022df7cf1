import API
import Base
import Domain
import Testing

@testable import Reil

/// Eta is told of the first and of the last socket of a user, and of all users when a link begins.
struct SocketCountsTests {
    private let random = SeededRandom(seed: 4)
    private let clock = ManualClock()

    private func user() -> UserID { .make(clock: clock, random: random) }

    /// What is told, in words.
    private final class Told: Sendable {
        private let words = Lock<[String]>([])

        func hear(_ report: RegistryReport) {
            words.withLock { words in
                switch report {
                case .online(let users):
                    words.append("+" + users.map(\.text).joined(separator: "+"))
                case .offline(let user): words.append("-\(user.text)")
                case _: words.append("?")
                }
            }
        }

        func take() -> [String] {
            words.withLock { words in
                defer { words = [] }
                return words
            }
        }
    }

    @Test func `the first and the last socket of a user are told, and no other`() {
        let told = Told()
        let counts = SocketCounts(perAddress: 2, perPerson: 2) { told.hear($0) }
        let ada = user()
        var first = counts.enter(.person(.user(ada)))
        #expect(told.take() == ["+\(ada.text)"])
        var second = counts.enter(.person(.user(ada)))
        #expect(second != nil && counts.enter(.person(.user(ada))) == nil)
        first = nil
        #expect(first == nil && told.take().isEmpty)
        second = nil
        #expect(told.take() == ["-\(ada.text)"])
        // A visitor may wait somewhere; an address is nobody.
        let visitor = UserReference(user(), at: ServerAddress("b.example"))
        let others = [
            counts.enter(.person(.visitor(visitor))), counts.enter(.address(.v4(0x7F00_0001))),
        ]
        #expect(others.allSatisfy { $0 != nil } && told.take() == ["+\(visitor.text)"])
    }

    @Test func `a link begins with all users, each once`() {
        let told = Told()
        let counts = SocketCounts(perAddress: 1, perPerson: 1) { told.hear($0) }
        let users = (0..<2_500).map { _ in user() }
        let places = users.map { counts.enter(.person(.user($0))) }
        #expect(told.take().count == 2_500 && places.allSatisfy { $0 != nil })
        counts.welcomed()
        let reports = told.take()
        let named = reports.flatMap { $0.split(separator: "+").map(String.init) }
        #expect(reports.count == 3 && named.count == 2_500)
        #expect(Set(named) == Set(users.map(\.text)))
    }
}
