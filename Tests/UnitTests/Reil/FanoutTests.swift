import API
import Base
import Domain
import HTTP
import Testing

@testable import Reil

/// Protects: a member is sent all that a room says but its own words, in order, out of the one
/// buffer; and nothing that an Ins may not send to the members of that room.
struct FanoutTests {
    private let random = SeededRandom(seed: 5)
    private let clock = ManualClock()

    private func id<Kind: IDKind>() -> ID<Kind> { .make(clock: clock, random: random) }

    private func frame(_ instance: InstanceID, _ text: String) -> [UInt8] {
        FrameSerializer.frame(
            .text,
            Array(
                #"{"command":"instance-data","subgroup":"\#(instance.text)","data":{"t":"\#(text)"}}"#
                    .utf8))
    }

    private func batch(
        _ instance: InstanceID, _ segments: [(PlayerID?, RoomBatch.Audience, Bool, [String])]
    ) throws -> RoomBatch {
        var writer = RoomBatchWriter()
        for (sender, audience, isState, texts) in segments {
            writer.append(sender: sender, audience: audience, isState: isState) { out in
                for text in texts { out.append(frame(instance, text)) }
            }
        }
        return try RoomBatch(reading: writer.take(instance: instance, epoch: 1))
    }

    private func texts(_ parts: [ArraySlice<UInt8>]) throws -> [String] {
        try RoomFrameList(Array(parts.joined())[...]).map { frame in
            try JSONParser.parse(frame.payload)["data"]?["t"]?.stringValue ?? ""
        }
    }

    @Test func `everybody hears the others, the one who is not in it everything`() throws {
        let instance: InstanceID = id()
        let (a, b, c): (PlayerID, PlayerID, PlayerID) = (id(), id(), id())
        let slices = BatchSlices(
            try batch(
                instance,
                [
                    (a, .others, false, ["a1"]), (b, .others, false, ["b1"]),
                    (nil, .others, false, ["room"]), (a, .others, true, ["a2", "a3"]),
                ]))
        #expect(try texts(slices.parts(for: a)) == ["b1", "room"])
        #expect(slices.parts(for: a).count == 1)
        #expect(try texts(slices.parts(for: b)) == ["a1", "room", "a2", "a3"])
        #expect(slices.parts(for: b).count == 2)
        #expect(try texts(slices.parts(for: c)) == ["a1", "b1", "room", "a2", "a3"])
        #expect(slices.parts(for: c).count == 1)
    }

    @Test func `what is for some is for them alone`() throws {
        let instance: InstanceID = id()
        let (a, b, c): (PlayerID, PlayerID, PlayerID) = (id(), id(), id())
        let slices = BatchSlices(
            try batch(
                instance,
                [
                    (a, .others, false, ["1"]), (a, .players([b]), false, ["2"]),
                    (b, .players([a, c]), false, ["3"]), (b, .others, true, ["4"]),
                ]))
        #expect(try texts(slices.parts(for: a)) == ["3", "4"])
        #expect(try texts(slices.parts(for: b)) == ["1", "2"])
        #expect(try texts(slices.parts(for: c)) == ["1", "3", "4"])
        let (events, states) = slices.split(for: c)
        #expect(try texts(events) == ["1", "3"])
        #expect(try texts(states) == ["4"])
    }

    /// Against the simplest model: each segment asked by itself.
    @Test func `slices are what a simple model says`() throws {
        let instance: InstanceID = id()
        let players: [PlayerID] = (0..<5).map { _ in id() }
        for round in 0..<300 {
            var segments: [(PlayerID?, RoomBatch.Audience, Bool, [String])] = []
            for number in 0..<random.next(below: 12) {
                let sender = random.next(below: 6)
                let isForSome = round % 2 == 0 && random.next(below: 3) == 0
                let audience: RoomBatch.Audience =
                    isForSome
                    ? .players(players.filter { _ in random.next(below: 2) == 0 }) : .others
                segments.append(
                    (
                        sender < 5 ? players[sender] : nil, audience,
                        !isForSome && random.next(below: 2) == 0,
                        (0...random.next(below: 2)).map { "\(number).\($0)" }
                    ))
            }
            let batch = try batch(instance, segments)
            #expect(BatchSlices.isSound(batch))
            let slices = BatchSlices(batch)
            for player in players {
                let expected = segments.filter { sender, audience, _, _ in
                    switch audience {
                    case .others: sender != player
                    case .players(let named): named.contains(player)
                    }
                }
                #expect(try texts(slices.parts(for: player)) == expected.flatMap(\.3))
                let (events, states) = slices.split(for: player)
                #expect(try texts(events) == expected.filter { !$0.2 }.flatMap(\.3))
                #expect(try texts(states) == expected.filter(\.2).flatMap(\.3))
            }
        }
    }

    @Test func `an Ins may send events of the room and nothing else`() throws {
        let instance: InstanceID = id()
        let other: InstanceID = id()
        func isSound(_ bytes: [UInt8]) throws -> Bool {
            var writer = RoomBatchWriter()
            writer.append(sender: nil, audience: .others) { $0.append(bytes) }
            return BatchSlices.isSound(
                try RoomBatch(reading: writer.take(instance: instance, epoch: 1)))
        }
        func text(_ text: String) -> [UInt8] { FrameSerializer.frame(.text, Array(text.utf8)) }
        let good = frame(instance, "x")
        #expect(try isSound(good))
        #expect(try isSound(good + good))
        #expect(try isSound([]))
        #expect(try !isSound(frame(other, "x")))
        #expect(try !isSound(good + frame(other, "x")))
        #expect(try !isSound(Array(good.dropLast())))
        #expect(try !isSound(good + [0x81]))
        #expect(try !isSound([0x88, 0x00]))
        #expect(try !isSound([0x89, 0x00]))
        #expect(try !isSound(text(#"{"command":"authenticated","subgroup":"avr","data":{}}"#)))
        #expect(
            try !isSound(text(#"{"command":"instance-data","subgroup":"avr","data":{}}"#)))
        var binary = good
        binary[0] = 0x82
        #expect(try !isSound(binary))
        let long = FrameSerializer.frame(
            .text,
            Array(
                (#"{"command":"instance-data","subgroup":"\#(instance.text)","data":""#
                    + String(repeating: "x", count: 70_000) + "\"}").utf8))
        #expect(try !isSound(long))
    }

    @Test func `of the end of a private world those hear who could see it, and nobody else`() throws
    {
        let home = try #require(ServerAddress("a.example"))
        let (owner, friend, stranger): (UserID, UserID, UserID) = (id(), id(), id())
        let world = World(
            id: id(), title: try #require(WorldTitle("T")), capacity: .standard,
            owner: UserReference(owner, at: home),
            contributors: [UserReference(friend, at: home)], tags: [.private], server: home,
            createdAt: clock.timestamp(), updatedAt: clock.timestamp())
        let room: InstanceID = id()
        let event = UpdateEvent(.worldDeleted(world), instances: [room])
        func hears(_ user: UserID, tags: TagSet = [], in instances: [InstanceID] = []) -> Bool {
            let caller = Caller.user(UserCaller(id: user, session: id(), tags: tags))
            return event.data(
                for: UpdateEvent.Listener(
                    caller: caller, reference: UserReference(user, at: home),
                    instances: instances)) != nil
        }
        #expect(hears(owner) && hears(friend) && hears(stranger, tags: [.admin]))
        #expect(hears(stranger, in: [room]))
        #expect(!hears(stranger) && !hears(stranger, in: [id()]))
    }

    @Test func `any bytes can be looked at as frames`() {
        for _ in 0..<3_000 {
            let bytes = random.bytes(random.next(below: 40)) + frame(id(), "x")
            var frames = RoomFrameList(bytes[...])
            var length = 0
            while let frame = frames.next() { length += frame.bytes.count }
            #expect(frames.isBroken || length == bytes.count)
        }
    }
}
