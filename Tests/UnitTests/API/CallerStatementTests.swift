import API
import Base
import Domain
import Testing

/// Protects: Eta believes who calls only from a statement that the cluster key signed just now.
struct CallerStatementTests {
    private let key = Secret(Array(repeating: 7, count: 32))
    private let now = Timestamp(milliseconds: 1_700_000_000_000)

    private var caller: Caller {
        .user(
            UserCaller(
                id: UserID.make(clock: ManualClock(), random: SeededRandom(seed: 1)),
                session: SessionID.make(clock: ManualClock(), random: SeededRandom(seed: 2)),
                tags: [.admin]))
    }

    @Test func `a statement says what was signed`() throws {
        let text = CallerStatement(caller: caller, at: now).signed(with: key)
        let read = try #require(CallerStatement(text, key: key, now: now + .seconds(59)))
        #expect(read.caller == caller)
    }

    @Test func `an old, early, foreign or altered statement is none`() {
        let text = CallerStatement(caller: .gateway, at: now).signed(with: key)
        #expect(CallerStatement(text, key: key, now: now + .seconds(61)) == nil)
        #expect(CallerStatement(text, key: key, now: now - .seconds(61)) == nil)
        #expect(CallerStatement(text, key: Secret([1, 2, 3]), now: now) == nil)
        for index in text.indices {
            var other = text
            let letter: Character = text[index] == "A" ? "B" : "A"
            other.replaceSubrange(index...index, with: String(letter))
            #expect(CallerStatement(other, key: key, now: now) == nil)
        }
    }
}
