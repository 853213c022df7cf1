import API
import Base
import Domain

/// What was said in a room lately, but for motion: what its members missed who dropped and come
/// back. Within bounds of bytes and time; what is older is lost.
struct RoomHistory {
    private struct Event {
        let number: Int64
        let sender: PlayerID?
        let audience: RoomBatch.Audience
        /// A whole frame.
        let frame: [UInt8]
        let at: Instant
    }

    /// Bytes of one room that are kept.
    static let limit = 1 << 20
    /// How long anything is kept: as long as somebody may come back.
    private let age: Duration
    private var events: [Event] = []
    /// How many at the head are gone already; the array is moved up now and then.
    private var head = 0
    /// Bytes of what is kept.
    private(set) var bytes = 0
    /// The last event that is not here any more.
    private var lost: Int64 = 0
    /// The newest event that there was.
    private(set) var newest: Int64 = 0
    /// Counts how often the room began anew: its numbers with it.
    private(set) var beginnings = 0

    /// Nothing was said yet.
    init(age: Duration) { self.age = age }

    /// The room begins anew, and so do its numbers.
    mutating func restart() {
        self = RoomHistory(age: age, beginnings: beginnings + 1)
    }

    /// Nothing of what was said is at hand any more.
    mutating func forget() {
        (events, head, bytes) = ([], 0, 0)
        lost = newest
    }

    private init(age: Duration, beginnings: Int) {
        self.age = age
        self.beginnings = beginnings
    }

    /// A batch was said.
    mutating func append(_ batch: RoomBatch, now: Instant) {
        for segment in batch.segments where !segment.isState {
            var frames = RoomFrameList(batch.bytes[segment.range])
            while let frame = frames.next() {
                guard let number = Self.number(in: frame.payload) else { continue }
                newest = max(newest, number)
                events.append(
                    Event(
                        number: number, sender: segment.sender, audience: segment.audience,
                        frame: Array(frame.bytes), at: now))
                bytes += frame.bytes.count
            }
        }
        while head < events.count, bytes > Self.limit || events[head].at + age < now {
            bytes -= events[head].frame.count
            lost = max(lost, events[head].number)
            head += 1
        }
        if head > 256, head * 2 > events.count {
            events.removeFirst(head)
            head = 0
        }
    }

    /// What a player was to hear behind the event of that number; nil where that is not at hand.
    func missed(since number: Int64, by player: PlayerID) -> [[UInt8]]? {
        guard number >= lost else { return nil }
        return events[head...].compactMap { event in
            guard event.number > number else { return nil }
            let isFor =
                switch event.audience {
                case .others: event.sender != player
                case .players(let players): players.contains(player)
                }
            return isFor ? event.frame : nil
        }
    }

    /// `{"command":"…","subgroup":"…","seq":N,` as every event of a room begins.
    private static func number(in payload: ArraySlice<UInt8>) -> Int64? {
        let mark = Array(#","seq":"#.utf8)
        let opening = payload.prefix(160)
        guard let found = opening.firstRange(of: mark) else { return nil }
        var number: Int64 = 0
        for byte in payload[found.upperBound...].prefix(18) {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return number }
            number = number * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return nil
    }
}
