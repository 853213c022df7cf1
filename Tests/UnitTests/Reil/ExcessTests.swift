import API
import Base
import Domain
import HTTP
import Testing

@testable import Reil

/// Protects: of what is too fast or not read the newest of each thing is kept, apart for each
/// instance, and nothing of who or what is gone.
struct ExcessTests {
    private let room = InstanceID.make(clock: ManualClock(), random: SeededRandom(seed: 1))
    private let other = InstanceID.make(clock: ManualClock(), random: SeededRandom(seed: 2))

    private func state(_ player: String, _ path: String, _ x: Int) -> [UInt8] {
        FrameSerializer.frame(
            .text,
            Array(
                #"{"command":"instance-transform","data":{"player":"\#(player)","path":"\#(path)","p":[\#(x),0,0]}}"#
                    .utf8))
    }

    private func left(_ player: String) -> [UInt8] {
        FrameSerializer.frame(
            .text,
            Array(#"{"command":"instance-left","data":{"player":"\#(player)","type":4}}"#.utf8))
    }

    /// Player, path and x of each.
    private func texts(_ frames: [ArraySlice<UInt8>]) throws -> [String] {
        try RoomFrameList(Array(frames.joined())[...]).map { frame in
            let data = try JSONParser.parse(frame.payload)["data"]
            return "\(data?["player"]?.stringValue ?? "") \(data?["path"]?.stringValue ?? "") "
                + "\(data?["p"]?[0]?.integerValue ?? 0)"
        }.sorted()
    }

    private func frame(_ path: String, _ x: Int, in instance: InstanceID) throws -> SocketFrame {
        let text = #"""
            {"command":"instance-transform","data":{"instance":"\#(instance.text)","path":"\#(path)","p":[\#(x),0,0],"at":1}}
            """#
        guard case .frame(let frame) = SocketFrame.read(Array(text.utf8)) else {
            throw NotAFrame()
        }
        return frame
    }
    private struct NotAFrame: Error {}

    @Test func `of state that was not read the newest of each path is kept`() throws {
        let excess = Excess()
        excess.keep(unread: (state("a", "x", 1) + state("b", "x", 1))[...], of: room)
        excess.keep(unread: (state("a", "x", 2))[...], of: room)
        #expect(excess.hasUnread && !excess.hasSent)
        #expect(try texts(excess.takeUnread()) == ["a x 2", "b x 1"])
        #expect(excess.isEmpty)
    }

    @Test func `a frame that is larger than any of ours is not kept`() throws {
        let excess = Excess()
        let long = String(repeating: "x", count: 2_048)
        excess.keep(unread: (state("a", long, 1) + state("a", "y", 1))[...], of: room)
        #expect(try texts(excess.takeUnread()) == ["a y 1"])
    }

    @Test func `what was not read is taken in pieces, each once`() throws {
        let excess = Excess()
        for path in 0..<50 { excess.keep(unread: state("a", "\(path)", 1)[...], of: room) }
        excess.keep(unread: state("a", "x", 1)[...], of: other)
        let size = state("a", "10", 1).count
        var taken: [String] = []
        var pieces = 0
        while excess.hasUnread {
            let piece = excess.takeUnread(upTo: 10 * size)
            #expect(!piece.isEmpty && piece.reduce(0) { $0 + $1.count } <= 10 * size)
            taken += try texts(piece)
            pieces += 1
        }
        #expect(taken.count == 51 && Set(taken).count == 51 && pieces >= 5)
        excess.keep(unread: state("a", "x", 1)[...], of: room)
        #expect(excess.takeUnread(upTo: 1).count == 1 && excess.isEmpty)
    }

    @Test func `what was sent too fast is kept by instance and path`() throws {
        let excess = Excess()
        for (x, instance) in [(1, room), (2, other), (3, room)] {
            excess.keep(sent: try frame("p:@me/body", x, in: instance), path: "b", in: instance)
        }
        let released = excess.releaseSent { true }
        let told = try released.map { frame in
            try JSONParser.parse(frame.bytes)["data"]?["p"]?[0]?.integerValue
        }
        #expect(Set(told) == [2, 3] && told.count == 2)
        #expect(excess.isEmpty)
    }

    @Test func `no more is released than may be, and the rest stays`() throws {
        let excess = Excess()
        for path in 0..<5 {
            excess.keep(sent: try frame("o:a/\(path)", path, in: room), path: "\(path)", in: room)
        }
        var left = 2
        let first = excess.releaseSent {
            defer { left -= 1 }
            return left > 0
        }
        #expect(first.count == 2 && excess.hasSent)
        #expect(excess.releaseSent { true }.count == 3)
        #expect(excess.isEmpty)
    }

    @Test func `of an instance that was left nothing is kept, of another all`() throws {
        let excess = Excess()
        for instance in [room, other] {
            excess.keep(sent: try frame("p:@me/body", 1, in: instance), path: "b", in: instance)
            excess.keep(unread: state("a", "x", instance == room ? 1 : 2)[...], of: instance)
        }
        excess.forget(room)
        #expect(excess.releaseSent { true }.count == 1)
        #expect(try texts(excess.takeUnread()) == ["a x 2"])
    }

    @Test func `behind the word that a player has left nothing of it is told`() throws {
        let excess = Excess()
        excess.keep(unread: (state("p_1", "x", 1) + state("p_2", "x", 1))[...], of: room)
        excess.keep(unread: state("p_1", "x", 1)[...], of: other)
        excess.forgetLeft(in: (left("p_9") + left("p_1"))[...], of: room)
        #expect(try texts(excess.takeUnread()) == ["p_1 x 1", "p_2 x 1"])
        excess.keep(unread: state("p_1", "x", 1)[...], of: room)
        excess.forgetLeft(in: left("p_1")[...], of: room)
        #expect(excess.isEmpty)
    }

    @Test func `no more is kept than there is room for`() throws {
        let excess = Excess()
        for path in 0..<5_000 {
            excess.keep(unread: state("a", "\(path)", 1)[...], of: path % 2 == 0 ? room : other)
        }
        // What is kept goes on being replaced.
        excess.keep(unread: state("a", "0", 9)[...], of: room)
        let kept = try texts(excess.takeUnread())
        #expect(kept.count == 4_096 && kept.contains("a 0 9"))
        for path in 0..<500 {
            excess.keep(
                sent: try frame("o:a/\(path)", 1, in: room), path: "\(path)", in: room)
        }
        #expect(excess.releaseSent { true }.count == 128)
    }
}
