import Base

/// A part of a `User-Agent` by which clients are denied, in any case.
public struct AgentPart: TextScalar {
    /// As it was written.
    public let text: String

    /// 3 to 128 visible ASCII characters and blanks, none at an end.
    public init?(_ text: String) {
        guard Self.shape.accepts(text), text.first != " ", text.last != " " else { return nil }
        self.text = text
    }

    /// 3 to 128 characters as they stand in a field.
    public static let shape = TextShape(
        3...128, .ascii(any: characters, first: characters), pattern: "^[ -~]{3,128}$",
        expectation: "3 to 128 visible ASCII characters of a User-Agent",
        sample: "EvilBot/")
    private static let characters =
        ASCIISet.letters + .digits + ASCIISet(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
}

/// A block of addresses in CIDR form.
public struct NetworkText: TextScalar {
    /// The block.
    public let range: NetworkRange

    /// Reads `address/bits`, or one address.
    public init?(_ text: String) {
        guard text.utf8.count <= 64, let range = NetworkRange(text) else { return nil }
        self.range = range
    }

    /// Its one spelling.
    public var text: String { range.description }

    /// What it looks like.
    public static let shape = TextShape(
        2...64, .own, expectation: "an address, or a block of addresses such as 192.0.2.0/24",
        sample: "192.0.2.0/24")
}

/// Which clients a node does not deal with: by their address, or by what they call themselves.
public struct ClientRules: Sendable {
    private let networks: NetworkTable<Bool>
    /// In lower case.
    private let agents: [[UInt8]]

    /// Those rules.
    public init(networks: [NetworkRange] = [], agents: [AgentPart] = []) {
        var table = NetworkTable<Bool>()
        for range in networks { table[range] = true }
        self.networks = table
        self.agents = agents.map { Array($0.text.lowercased().utf8) }
    }

    /// Whether anything of agents is looked at.
    public var readsAgents: Bool { !agents.isEmpty }

    /// Whether clients of that address are denied.
    public func denies(_ address: IPAddress) -> Bool {
        networks.value(for: address) != nil
    }

    /// Whether clients that call themselves so are denied.
    public func denies(agent: ArraySlice<UInt8>) -> Bool {
        if agents.isEmpty { return false }
        let folded = agent.map { $0 &- 65 < 26 ? $0 | 32 : $0 }
        return agents.contains { part in
            guard part.count <= folded.count else { return false }
            return (0...folded.count - part.count).contains { start in
                folded[start..<start + part.count].elementsEqual(part)
            }
        }
    }
}
