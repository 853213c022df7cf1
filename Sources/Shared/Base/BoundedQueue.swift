/// A first-in, first-out queue that never holds more than its capacity.
///
/// A ring, so that what is taken is let go of at once, and no element is ever moved. Inlinable,
/// as it is generic and on the path of every message.
public struct BoundedQueue<Element> {
    /// The most it holds.
    public let capacity: Int
    @usableFromInline var filled = 0
    /// How many wait.
    @inlinable public var count: Int { filled }
    @usableFromInline var ring: [Element?] = []
    @usableFromInline var head = 0

    /// An empty queue for at most `capacity` elements; memory is taken as it fills.
    public init(capacity: Int) { self.capacity = capacity }

    /// Whether none waits.
    @inlinable public var isEmpty: Bool { count == 0 }
    /// Whether the next one would be refused.
    @inlinable public var isFull: Bool { count >= capacity }

    /// Appends, or refuses with false when full.
    @inlinable public mutating func append(_ element: Element) -> Bool {
        if isFull { return false }
        if count == ring.count { grow() }
        var place = head + count
        if place >= ring.count { place -= ring.count }
        ring[place] = element
        filled += 1
        return true
    }

    /// Takes the first.
    @inlinable public mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = ring[head].take()
        head = head + 1 == ring.count ? 0 : head + 1
        filled -= 1
        // A burst must not hold its memory for good.
        if count == 0, ring.count > 1_024 { (ring, head) = ([], 0) }
        return element
    }

    /// Takes all, first first.
    @inlinable public mutating func popAll() -> [Element] {
        var all: [Element] = []
        all.reserveCapacity(count)
        while let element = popFirst() { all.append(element) }
        return all
    }

    @usableFromInline mutating func grow() {
        var grown: [Element?] = []
        grown.reserveCapacity(max(8, ring.count * 2))
        grown.append(contentsOf: ring[head...])
        grown.append(contentsOf: ring[..<head])
        while grown.count < max(8, ring.count * 2) { grown.append(nil) }
        (ring, head) = (grown, 0)
    }
}

extension BoundedQueue: Sendable where Element: Sendable {}
