import Base
import Domain
import Testing

@testable import Federation

/// How long documents stay fresh, and how long a node is left alone: docs/federation §2 and §8.
struct PeerTableTests {
    private let address = SignedDraft.address("b.example")
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func peer() throws -> Peer {
        let document = try DiscoveryDocument(
            reading: DiscoveryDocument.write(
                DiscoveryDocumentTests.identity(), now: SignedDraft.now),
            of: address, now: SignedDraft.now)
        return Peer(document: document, secure: true, preferred: nil)
    }

    private func code(_ table: PeerTable, at seconds: Int64) -> String {
        switch table.find(address, now: start + .seconds(seconds)) {
        case .fresh: "fresh"
        case .failed(let error): "\(error.code.rawValue)"
        case .ask: "ask"
        }
    }

    @Test(
        arguments: [
            (nil, 60), ("max-age=5", 60), ("public, max-age=300", 300), ("max-age=\"90\"", 90),
            ("max-age=999999", 86_400), ("no-store", 60), ("max-age=x", 60), ("max-age=-1", 60),
        ] as [(String?, Int64)])
    func `a document is kept as its node says, within bounds`(field: String?, seconds: Int64) {
        #expect(PeerTable.freshness(field) == .seconds(seconds))
    }

    @Test func `a document is fresh for its time`() throws {
        var table = PeerTable()
        #expect(code(table, at: 0) == "ask")
        table.found(try peer(), freshFor: .seconds(60), now: start)
        #expect(code(table, at: 59) == "fresh")
        #expect(code(table, at: 60) == "ask")
        #expect(table.remembered(address, now: start + .seconds(86_000)) != nil)
        #expect(table.remembered(address, now: start + .seconds(86_400)) == nil)
    }

    @Test func `failures are kept for half a minute, doubling to ten minutes`() throws {
        var table = PeerTable()
        var now: Int64 = 0
        for delay in [30, 60, 120, 240, 480, 600, 600] as [Int64] {
            table.failed(address, APIError(.serverNotFound), now: start + .seconds(now))
            #expect(code(table, at: now + delay - 1) == "5")
            #expect(code(table, at: now + delay) == "ask")
            now += delay
        }
        table.found(try peer(), freshFor: .seconds(60), now: start + .seconds(now))
        #expect(code(table, at: now + 1) == "fresh")
        table.failed(address, APIError(.serverNotFound), now: start + .seconds(now))
        #expect(code(table, at: now + 30) == "ask", "success begins anew")
    }

    @Test func `a document is read again at most once a minute before its time`() throws {
        var table = PeerTable()
        table.found(try peer(), freshFor: .seconds(3_600), now: start)
        var may = table.mayRefresh(address, now: start)
        #expect(may)
        #expect(code(table, at: 0) == "ask")
        table.found(try peer(), freshFor: .seconds(3_600), now: start)
        may = table.mayRefresh(address, now: start + .seconds(59))
        #expect(!may)
        #expect(code(table, at: 59) == "fresh")
        may = table.mayRefresh(address, now: start + .seconds(60))
        #expect(may)
    }

    @Test func `a node that is silent five times in a row is left alone for longer and longer`()
        throws
    {
        var table = PeerTable()
        var now: Int64 = 0
        func fail() throws {
            table.found(try peer(), freshFor: .seconds(3_600), now: start + .seconds(now))
            table.silent(address, now: start + .seconds(now))
        }
        for _ in 0..<4 { try fail() }
        #expect(code(table, at: 0) == "fresh")
        try fail()
        for delay in [30, 60, 120, 240, 480, 600, 600] as [Int64] {
            #expect(code(table, at: now + delay - 1) == "6")
            #expect(code(table, at: now + delay) == "fresh")
            now += delay
            try fail()
        }
        table.answered(address)
        #expect(code(table, at: now) == "fresh")
    }

    @Test func `nodes beyond the limit make room for others`() throws {
        var table = PeerTable()
        for number in 0..<(PeerTable.limit + 5) {
            table.failed(
                SignedDraft.address("n\(number).example"), APIError(.serverNotFound),
                now: start + .seconds(Int64(number)))
        }
        #expect(table.count <= PeerTable.limit)
        #expect(table.count > 10)
    }
}
