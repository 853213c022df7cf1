import Base

/// The jobs of one loop that wait for their time: a heap whose entries know their place, so that
/// one cancelled among tens of thousands is gone at once and leaves nothing behind.
///
/// Who re-arms often (an idle connection after each request) keeps its true deadline beside the
/// timer, lets the timer fire early, and asks for the rest then: no call per request at all.
struct Timers: ~Copyable {
    typealias Job = @Sendable () -> Void

    private struct Entry {
        var deadline: UInt64
        var slot: UInt32
    }

    private struct Slot {
        /// Where in the heap, or the next free slot.
        var place: UInt32
        var generation: UInt32
        var job: Job?
    }

    private static let none = UInt32.max
    private var heap: [Entry] = []
    private var slots: [Slot] = []
    private var free = Timers.none

    /// How many wait.
    var count: Int { heap.count }

    /// When the first is due.
    var next: Instant? { heap.first.map { Instant(nanoseconds: $0.deadline) } }

    /// Keeps `job` until `deadline`.
    mutating func add(at deadline: Instant, _ job: @escaping Job) -> TimerToken {
        let slot: UInt32
        if free == Timers.none {
            slot = UInt32(slots.count)
            slots.append(Slot(place: 0, generation: 0, job: job))
        } else {
            slot = free
            free = slots[Int(slot)].place
            slots[Int(slot)].job = job
        }
        heap.append(Entry(deadline: deadline.nanoseconds, slot: slot))
        rise(heap.count - 1)
        return TimerToken(number: UInt64(slots[Int(slot)].generation) << 32 | UInt64(slot))
    }

    /// Forgets a job; one that is gone already is no mistake.
    mutating func cancel(_ token: TimerToken) {
        let slot = Int(token.number & 0xFFFF_FFFF)
        guard slot < slots.count, slots[slot].job != nil,
            slots[slot].generation == UInt32(token.number >> 32)
        else { return }
        remove(at: Int(slots[slot].place))
    }

    /// Takes one job whose time has come.
    mutating func popDue(at now: Instant) -> Job? {
        guard let first = heap.first, first.deadline <= now.nanoseconds else { return nil }
        let job = slots[Int(first.slot)].job
        remove(at: 0)
        return job
    }

    private mutating func remove(at index: Int) {
        let slot = heap[index].slot
        slots[Int(slot)].job = nil
        slots[Int(slot)].generation &+= 1
        slots[Int(slot)].place = free
        free = slot
        let last = heap.removeLast()
        guard index < heap.count else { return }
        heap[index] = last
        slots[Int(last.slot)].place = UInt32(index)
        if index > 0, last.deadline < heap[(index - 1) / 2].deadline {
            rise(index)
        } else {
            sink(index)
        }
    }

    private mutating func rise(_ start: Int) {
        var index = start
        let entry = heap[index]
        while index > 0 {
            let parent = (index - 1) / 2
            guard entry.deadline < heap[parent].deadline else { break }
            put(heap[parent], at: index)
            index = parent
        }
        put(entry, at: index)
    }

    private mutating func sink(_ start: Int) {
        var index = start
        let entry = heap[index]
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline {
                child += 1
            }
            guard heap[child].deadline < entry.deadline else { break }
            put(heap[child], at: index)
            index = child
        }
        put(entry, at: index)
    }

    private mutating func put(_ entry: Entry, at index: Int) {
        heap[index] = entry
        slots[Int(entry.slot)].place = UInt32(index)
    }
}
