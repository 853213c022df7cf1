/// A first-in, first-out queue that never holds more than its capacity.
public struct BoundedQueue<Element> {
    /// The most it holds.
    public let capacity: Int
    private var elements: [Element] = []
    private var head = 0

    /// An empty queue for at most `capacity` elements.
    public init(capacity: Int) { self.capacity = capacity }

    /// How many wait.
    public var count: Int { elements.count - head }
    /// Whether none waits.
    public var isEmpty: Bool { count == 0 }
    /// Whether the next one would be refused.
    public var isFull: Bool { count >= capacity }

    /// Appends, or refuses with false when full.
    public mutating func append(_ element: Element) -> Bool {
        if isFull { return false }
        elements.append(element)
        return true
    }

    /// Takes the first.
    public mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: elements.capacity <= 1_024)
            head = 0
        } else if head >= 64, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Takes all, first first.
    public mutating func popAll() -> [Element] {
        defer {
            elements.removeAll()
            head = 0
        }
        return Array(elements[head...])
    }
}
