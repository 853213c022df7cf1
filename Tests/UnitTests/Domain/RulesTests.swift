import Base
import Domain
import Testing

/// Which rule counts for whom.
struct RulesTests {
    private func rules(
        _ list: [(String, NodeAction)], _ mode: FederationMode = .open
    ) throws -> NodeRules {
        NodeRules(
            try list.map { (pattern: try #require(NodePattern($0.0), "\($0.0)"), action: $0.1) },
            mode: mode)
    }

    private func action(_ rules: NodeRules, _ node: String, at seen: String? = nil) throws
        -> NodeAction
    {
        rules.action(on: try #require(ServerAddress(node)), seenAt: seen.flatMap { IPAddress($0) })
    }

    @Test(arguments: [
        ("EXAMPLE.org", "example.org"), ("example.org:443", "example.org"),
        ("*.Example.Org", "*.example.org"), ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:DB8::/32", "2001:db8::/32"), ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]:8443", "[2001:db8::1]:8443"),
    ]) func `a pattern has one spelling`(text: String, expected: String) throws {
        #expect(try #require(NodePattern(text)).text == expected)
        #expect(NodePattern(expected)?.text == expected)
    }

    @Test(arguments: [
        "", "*", "*.", "*.*.org", "*.example.org:8443", "*.192.0.2.1", "*.[::1]", "192.0.2.1/24",
        "192.0.2.0/33", "example.org/24", "https://example.org", "a b", "*example.org",
    ]) func `what is no pattern is none`(text: String) { #expect(NodePattern(text) == nil) }

    @Test func `the narrowest rule counts`() throws {
        let rules = try rules([
            ("*.example.org", .deny), ("*.good.example.org", .limit),
            ("ok.example.org", .allow), ("192.0.0.0/16", .deny), ("192.0.2.0/24", .limit),
            ("192.0.2.7:8443", .allow),
        ])
        for (node, expected) in [
            ("example.org", NodeAction.allow), ("x.example.org", .deny),
            ("x.example.org:8443", .deny), ("xexample.org", .allow),
            ("a.b.example.org", .deny), ("a.good.example.org", .limit),
            ("good.example.org", .deny), ("ok.example.org", .allow),
            ("ok.example.org:8443", .deny), ("192.0.1.1", .deny), ("192.0.2.1:1", .limit),
            ("192.0.2.7:8443", .allow), ("192.0.2.7", .limit), ("198.51.100.1", .allow),
        ] {
            #expect(try action(rules, node) == expected, "\(node)")
        }
        #expect(try action(rules, "elsewhere.org", at: "192.0.1.9") == .deny)
        #expect(try action(rules, "elsewhere.org", at: "::ffff:192.0.1.9") == .deny)
        #expect(try action(rules, "ok.example.org", at: "192.0.1.9") == .allow)
    }

    @Test func `where no rule is the mode counts, and closed means closed`() throws {
        let list: [(String, NodeAction)] = [("in.example", .allow), ("half.example", .limit)]
        for (mode, expected) in [
            (FederationMode.open, [NodeAction.allow, .limit, .allow]),
            (.allowlist, [.allow, .limit, .deny]), (.closed, [.deny, .deny, .deny]),
        ] {
            let rules = try rules(list, mode)
            let found = try ["in.example", "half.example", "other.example"].map {
                try action(rules, $0)
            }
            #expect(found == expected, "\(mode)")
        }
    }

    /// Against a search through all blocks.
    @Test func `the narrowest block is found`() {
        let random = SeededRandom(seed: 5)
        for _ in 0..<200 {
            var table = NetworkTable<Int>()
            var list: [(range: NetworkRange, value: Int)] = []
            for value in 0..<20 {
                let prefix = Int(random.next() % 33)
                let address = UInt32(truncatingIfNeeded: random.next() % 8) << 29
                let masked = prefix == 0 ? 0 : address & ~(prefix >= 32 ? 0 : UInt32.max >> prefix)
                guard let range = NetworkRange("\(IPAddress.v4(masked))/\(prefix)") else {
                    continue
                }
                list.removeAll { $0.range == range }
                list.append((range, value))
                table[range] = value
            }
            for _ in 0..<50 {
                let address = IPAddress.v4(UInt32(truncatingIfNeeded: random.next()))
                let expected = list.filter { $0.range.contains(address) }
                    .max { $0.range.prefix < $1.range.prefix }?.value
                #expect(table.value(for: address) == expected)
            }
        }
        var table = NetworkTable<Int>()
        #expect(table.isEmpty && IPAddress("::1").flatMap { table.value(for: $0) } == nil)
        if let all = NetworkRange("0.0.0.0/0") { table[all] = 1 }
        #expect(IPAddress("::1").flatMap { table.value(for: $0) } == nil)
        #expect(IPAddress("::ffff:1.2.3.4").flatMap { table.value(for: $0) } == 1)
    }

    @Test func `an agent is denied by a part of its name in any case`() throws {
        let rules = ClientRules(agents: [try #require(AgentPart("EvilBot/"))])
        for (agent, isDenied) in [
            ("evilbot/2", true), ("x EVILBOT/ y", true), ("evilbot", false), ("", false),
        ] {
            #expect(rules.denies(agent: Array(agent.utf8)[...]) == isDenied, "\(agent)")
        }
        for text in ["ab", " abc", "abc ", "a\u{e9}bc", "a\nbc"] {
            #expect(AgentPart(text) == nil, "\(text)")
        }
    }
}
