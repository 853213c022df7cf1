import API
import Base
import Domain

/// The Ins that are linked to some Reil of this node, as the Reil report them.
public final class InsRoster: Sendable {
    /// One Ins.
    public struct Entry: Sendable {
        /// What the Reil that heard of it last says.
        public var report: InsReport
        /// The runs of the Reil that it is linked to.
        public var runs: Set<String>
        /// Since when some Reil has had it.
        public var linkedAt: Timestamp
        /// Since when no Reil has it, where that is so, and when it is given up.
        public var lostAt: Instant?
    }

    private let entries = Lock<[String: Entry]>([:])

    /// Nobody yet.
    public init() {}

    /// Those linked now, by the id of their credential, which is their name in the pool.
    public var linked: [Entry] {
        entries.withLock { entries in
            entries.values.filter { !$0.runs.isEmpty }.sorted {
                $0.report.credential < $1.report.credential
            }
        }
    }

    /// The Ins with that credential, if it is linked now.
    public func linked(_ credential: String) -> Entry? {
        entries.withLock { entries in
            entries[credential].flatMap { $0.runs.isEmpty ? nil : $0 }
        }
    }

    /// A Reil has that Ins.
    public func heard(_ report: InsReport, from run: String, at now: Timestamp) {
        entries.withLock { entries in
            var entry =
                entries[report.credential]
                ?? Entry(report: report, runs: [], linkedAt: now, lostAt: nil)
            entry.report = report
            if entry.runs.isEmpty { entry.linkedAt = now }
            entry.runs.insert(run)
            entry.lostAt = nil
            entries[report.credential] = entry
        }
    }

    /// A Reil has it no more; given up at `deadline` unless somebody has it again.
    public func lost(_ credential: String, by run: String, deadline: Instant) {
        entries.withLock { entries in
            guard var entry = entries[credential], entry.runs.remove(run) != nil else { return }
            if entry.runs.isEmpty { entry.lostAt = deadline }
            entries[credential] = entry
        }
    }

    /// A Reil is gone with all it had.
    func lost(allOf run: String, deadline: Instant) {
        for credential in entries.withLock({ Array($0.keys) }) {
            lost(credential, by: run, deadline: deadline)
        }
    }

    /// An Ins that runs instances as far as is known, and that nobody has reported yet.
    func expect(_ credential: String, deadline: Instant) {
        entries.withLock { entries in
            guard entries[credential] == nil else { return }
            let report = InsReport(
                credential: credential, name: credential, version: "", capacity: 0, region: "",
                load: 0)
            entries[credential] = Entry(
                report: report, runs: [], linkedAt: Timestamp(milliseconds: 0), lostAt: deadline)
        }
    }

    /// Those given up by now; they are told once.
    func takeLost(now: Instant) -> [String] {
        entries.withLock { entries in
            let lost = entries.filter { $1.lostAt.map { $0 <= now } ?? false }.map(\.key).sorted()
            for credential in lost { entries[credential] = nil }
            return lost
        }
    }
}
