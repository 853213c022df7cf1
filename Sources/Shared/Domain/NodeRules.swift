import Base

/// Which nodes a rule is about: `host[:port]` for one, `*.suffix` for all whose names end so, or a
/// block of addresses in CIDR form, docs/federation "Moderation".
public struct NodePattern: TextScalar {
    /// What it stands for.
    public enum Kind: Sendable, Hashable {
        /// That node.
        case exact(ServerAddress)
        /// All below that name, on any port; with the dot before it.
        case suffix(String)
        /// All at an address of the block.
        case network(NetworkRange)
    }

    /// What it stands for.
    public let kind: Kind
    /// Its one spelling.
    public let text: String

    /// Reads one of the three forms.
    public init?(_ text: String) {
        guard text.utf8.count <= 262 else { return nil }
        if text.hasPrefix("*.") {
            // A name that is one, without a port; an address has nothing below it.
            guard let parent = ServerAddress(String(text.dropFirst(2))), case .name = parent.host,
                parent.port == 443
            else { return nil }
            kind = .suffix("." + parent.hostText)
            self.text = "*." + parent.hostText
        } else if text.contains("/") {
            guard let network = NetworkRange(text) else { return nil }
            kind = .network(network)
            self.text = network.description
        } else {
            guard let address = ServerAddress(text) else { return nil }
            kind = .exact(address)
            self.text = address.text
        }
    }

    /// What it looks like.
    public static let shape = TextShape(
        1...262, .own,
        expectation: "a server address, *.suffix, or a block of addresses such as 192.0.2.0/24",
        sample: "*.example.org")
}

/// What a rule does with the nodes that it is about.
public enum NodeAction: String, Sendable, Codable, CaseIterable {
    /// Nothing passes, either way.
    case deny
    /// Its users may visit; they may not make instances, invite, or follow.
    case limit
    /// Nothing is in its way.
    case allow
}

/// Which nodes there are dealings with where no rule says so.
public enum FederationMode: String, Sendable, Codable, CaseIterable {
    /// With all.
    case open
    /// With those that a rule lets in.
    case allowlist
    /// With none, whatever the rules say.
    case closed
}

/// The rules about other nodes, as something that can be asked. The narrowest that fits counts: the
/// node itself before the longest suffix before the smallest block.
public struct NodeRules: Sendable {
    private var exact: [ServerAddress: NodeAction] = [:]
    private var suffixes: [String: NodeAction] = [:]
    private var networks = NetworkTable<NodeAction>()
    /// What holds where no rule does.
    public let mode: FederationMode

    /// The rules of `list`.
    public init(
        _ list: some Sequence<(pattern: NodePattern, action: NodeAction)>,
        mode: FederationMode = .open
    ) {
        self.mode = mode
        for (pattern, action) in list {
            switch pattern.kind {
            case .exact(let address): exact[address] = action
            case .suffix(let suffix): suffixes[suffix] = action
            case .network(let range): networks[range] = action
            }
        }
    }

    /// What holds for a node; `seen` is the address that it was seen at, where it was.
    public func action(on node: ServerAddress, seenAt seen: IPAddress? = nil) -> NodeAction {
        switch mode {
        case .closed: .deny
        case .open: rule(on: node, seenAt: seen) ?? .allow
        case .allowlist: rule(on: node, seenAt: seen) ?? .deny
        }
    }

    private func rule(on node: ServerAddress, seenAt seen: IPAddress?) -> NodeAction? {
        if let action = exact[node] { return action }
        switch node.host {
        case .name(let name):
            if !suffixes.isEmpty, let action = suffix(of: name) { return action }
            return seen.flatMap(networks.value)
        case .address(let address):
            return networks.value(for: address) ?? seen.flatMap(networks.value)
        }
    }

    private func suffix(of name: String) -> NodeAction? {
        var rest = name[...]
        while let dot = rest.firstIndex(of: ".") {
            if let action = suffixes[String(rest[dot...])] { return action }
            rest = rest[rest.index(after: dot)...]
        }
        return nil
    }
}
