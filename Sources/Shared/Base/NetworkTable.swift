/// Something about blocks of addresses, found by an address: the narrowest block that holds it counts.
/// A look costs a probe for each length of prefix that there is, however many blocks there are.
public struct NetworkTable<Value: Sendable>: Sendable {
    private var values: [NetworkRange: Value] = [:]
    /// How many blocks there are of each length of prefix.
    private var prefixes: [Int] = []

    /// No block.
    public init() {}

    /// Whether there is no block.
    public var isEmpty: Bool { values.isEmpty }

    /// What is said of a block.
    public subscript(_ range: NetworkRange) -> Value? {
        get { values[range] }
        set {
            values[range] = newValue
            if newValue != nil, !prefixes.contains(range.prefix) {
                prefixes.append(range.prefix)
                prefixes.sort(by: >)
            }
        }
    }

    /// What is said of the narrowest block that holds `address`; a v4-mapped address is the v4 address
    /// that it means.
    public func value(for address: IPAddress) -> Value? {
        let plain = address.unmapped
        for prefix in prefixes where prefix <= plain.width {
            if let value = values[NetworkRange(around: plain, prefix: prefix)] { return value }
        }
        return nil
    }
}
