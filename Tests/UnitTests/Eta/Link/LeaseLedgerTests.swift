import Base
import Testing

@testable import Eta

/// design.md §1: what takes rights away waits for every Reil to acknowledge, or for its lease.
struct LeaseLedgerTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    private let whole = LeaseLedger.lease + LeaseLedger.room

    /// A ledger to be used inside of expectations.
    private final class Box {
        var ledger = LeaseLedger(
            startedAt: Instant(nanoseconds: 0))
        func renew(_ link: Int, now: Instant) { ledger.renew(link, now: now) }
        func mark(now: Instant) -> (sequence: Int64, deadline: Instant?) { ledger.mark(now: now) }
        func acknowledge(_ sequence: Int64, by link: Int) -> Bool {
            ledger.acknowledge(sequence, by: link)
        }
        func expire(now: Instant) -> [Int64] { ledger.expire(now: now) }
    }

    @Test func `nobody is waited for where nobody has a lease`() {
        let ledger = Box()
        #expect(ledger.mark(now: start).deadline == nil)
        ledger.renew(1, now: start)
        #expect(ledger.mark(now: start + whole).deadline == nil)
    }

    @Test func `a mark is over when the last of those with a lease has acknowledged it`() {
        let ledger = Box()
        ledger.renew(1, now: start)
        ledger.renew(2, now: start)
        let (sequence, deadline) = ledger.mark(now: start)
        #expect(deadline == start + whole)
        #expect(!ledger.acknowledge(sequence, by: 1))
        #expect(!ledger.acknowledge(sequence, by: 1))
        #expect(!ledger.acknowledge(sequence, by: 3))
        #expect(ledger.acknowledge(sequence, by: 2))
        #expect(!ledger.acknowledge(sequence, by: 2))
        #expect(ledger.expire(now: start + .seconds(10)) == [])
    }

    @Test func `a Reil that hangs delays a mark until its lease, as it was then, is over`() {
        let ledger = Box()
        ledger.renew(1, now: start)
        ledger.renew(2, now: start + .milliseconds(600))
        let now = start + .milliseconds(700)
        let (sequence, deadline) = ledger.mark(now: now)
        #expect(deadline == start + .milliseconds(600) + whole)
        // A renewal that is answered later is answered behind the mark.
        ledger.renew(2, now: now)
        #expect(ledger.expire(now: start + whole) == [])
        #expect(ledger.expire(now: start + .milliseconds(600) + whole) == [sequence])
        #expect(!ledger.acknowledge(sequence, by: 2))
    }

    @Test func `leases of the run before are waited for, though nobody of it can acknowledge`() {
        var ledger = LeaseLedger(startedAt: start)
        let (sequence, deadline) = ledger.mark(now: start + .milliseconds(200))
        #expect(deadline == start + whole)
        let early = ledger.expire(now: start + LeaseLedger.lease)
        #expect(early == [])
        let due = ledger.expire(now: start + whole)
        #expect(due == [sequence])
        let later = ledger.mark(now: start + whole).deadline
        #expect(later == nil)
    }

    @Test func `numbers rise, whoever waits`() {
        let ledger = Box()
        let first = ledger.mark(now: start).sequence
        let second = ledger.mark(now: start).sequence
        ledger.renew(1, now: start)
        let third = ledger.mark(now: start).sequence
        #expect(first < second && second < third)
        #expect(ledger.acknowledge(third, by: 1))
    }
}
