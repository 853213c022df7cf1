import Base

/// Which Reil may still honour what was true before: leases, and marks that wait for them.
///
/// A Reil's lease runs for a second from when it *sent* the renewal that was last answered; here it
/// is counted from the answer, which is later, and with some room. A mark is waited for until each
/// Reil has acknowledged it or until its lease, as it was when the mark was sent, is over: a renewal
/// that is answered later is answered behind the mark, in one stream, so who has the later lease has
/// what was pushed before the mark. What a Reil did before its link broke it may go on doing until
/// its lease is over, so a lease outlives its link, and the run of Eta that gave it.
struct LeaseLedger {
    /// How long a lease is, as Reil is told.
    static let lease: Duration = .milliseconds(1_000)
    /// For the difference of two clocks' speeds, and for a loop that looks late.
    static let room: Duration = .milliseconds(50)

    /// By link; 0 stands for those of the run of Eta before this one.
    private var leaseEnds: [Int: Instant]
    private var lastSequence: Int64 = 0
    /// For each mark that is waited for: until when, for which link.
    private var waits: [Int64: [Int: Instant]] = [:]

    /// A run of Eta begins now; what the one before gave counts for as long as it can.
    init(startedAt now: Instant) { leaseEnds = [0: now + Self.lease + Self.room] }

    /// A renewal of a link is answered now. Links have numbers from 1 on.
    mutating func renew(_ link: Int, now: Instant) {
        leaseEnds[link] = now + Self.lease + Self.room
    }

    /// A mark goes out now. Returns its number, and when waiting for it ends at the latest; nil when
    /// there is nobody to wait for.
    mutating func mark(now: Instant) -> (sequence: Int64, deadline: Instant?) {
        lastSequence += 1
        let sequence = lastSequence
        leaseEnds = leaseEnds.filter { $1 > now }
        guard !leaseEnds.isEmpty else { return (sequence, nil) }
        waits[sequence] = leaseEnds
        return (sequence, leaseEnds.values.max())
    }

    /// A link has come to a mark. Whether it was the last that the mark waited for.
    mutating func acknowledge(_ sequence: Int64, by link: Int) -> Bool {
        guard waits[sequence]?.removeValue(forKey: link) != nil else { return false }
        guard waits[sequence]?.isEmpty ?? false else { return false }
        waits[sequence] = nil
        return true
    }

    /// The marks for which all leases that counted are over.
    mutating func expire(now: Instant) -> [Int64] {
        let over = waits.filter { $1.values.allSatisfy { $0 <= now } }.map(\.key).sorted()
        for sequence in over { waits[sequence] = nil }
        return over
    }
}
