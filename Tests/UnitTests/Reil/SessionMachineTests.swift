import API
import Base
import Domain
import HTTP
import Testing

@testable import Reil

/// Protects: what one socket may do, docs/client: who has not logged in does nothing else, every
/// answer repeats what it answers, and who speaks too often is told, then closed.
struct SessionMachineTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func machine(authenticated: Bool = true) -> MachineBox {
        let box = MachineBox(SessionMachine(now: start))
        if authenticated {
            box.machine.beginAuthentication()
            box.authenticated(asSomebodyElse: true)
        }
        return box
    }

    /// What came of a message, in a word, and the answer where there is one.
    private func outcome(_ verdict: SessionMachine.Verdict) -> (word: String, answer: JSONValue?) {
        switch verdict {
        case .perform(let command, _): (command.rawValue, nil)
        case .relay(let service, _): ("to \(service)", nil)
        case .answer(let bytes): ("answer", try? JSONParser.parse(bytes))
        case .hold: ("hold", nil)
        case .wait: ("wait", nil)
        case .close(let code): ("close \(code)", nil)
        }
    }

    private func hasWaiting(_ machine: MachineBox) -> Bool {
        if case nil = machine.nextWaiting() { false } else { true }
    }

    private func code(_ verdict: SessionMachine.Verdict) -> Int64? {
        outcome(verdict).answer?["error"]?["code"]?.integerValue
    }

    @Test(arguments: [
        ("not JSON", #"{"error":{"code":56}}"#),
        ("[1]", #"{"error":{"code":56}}"#),
        (#"{"state":[1, 2],"data":{}}"#, #"{"state":[1,2],"error":{"code":56}}"#),
        (
            #"{"state":{"a":1.50},"command":"nonsense","subgroup":"avr"}"#,
            #"{"state":{"a":1.50},"command":"nonsense","subgroup":"avr","error":{"code":2}}"#
        ),
        (
            #"{"command":"ping","state":null,"subgroup":"no service"}"#,
            #"{"command":"ping","state":null,"subgroup":"no service","error":{"code":62}}"#
        ),
        (#"{"command":7,"state":7}"#, #"{"state":7,"error":{"code":56}}"#),
        (
            #"{"command":"ping","state":7,"data":[]}"#,
            #"{"command":"ping","state":7,"error":{"code":56}}"#
        ),
        (
            #"{"command":"ping","state":7,"data":{},"subgroup":7}"#,
            #"{"command":"ping","state":7,"error":{"code":56}}"#
        ),
        (
            // No JSON that two readers would read alike.
            #"{"command":"ping","command":"ping","state":7}"#, #"{"error":{"code":56}}"#
        ),
        (
            #"{"command":"ping","state":7,"data":{"a":{"b":1,"\u0062":2}}}"#,
            #"{"error":{"code":56}}"#
        ),
    ])
    func `what cannot be done is answered under its own name`(
        message: String, answer: String
    ) throws {
        let machine = machine()
        let verdict = machine.receive(Array(message.utf8), now: start)
        var told = try #require(outcome(verdict).answer?.objectValue)
        let expected = try #require(try JSONParser.parse(Array(answer.utf8)).objectValue)
        #expect(told["error"]?["message"]?.stringValue?.isEmpty == false)
        told["error"] = ["code": told["error"]?["code"] ?? nil]
        #expect(told == expected)
    }

    @Test func `a state of 256 bytes is repeated byte for byte, a longer one refused`() throws {
        let machine = machine()
        let state = #"{"x": 1.50"#.padding(255) + "}"
        let message = #"{"command":"x","state":\#(state)}"#
        guard case .answer(let bytes) = machine.receive(Array(message.utf8), now: start) else {
            return #expect(Bool(false))
        }
        #expect(String(decoding: bytes, as: UTF8.self).contains(#""state":\#(state),"#))
        let longer = message.replacing("1.50", with: "1.500")
        #expect(code(machine.receive(Array(longer.utf8), now: start)) == 56)
    }

    @Test(arguments: [
        ("instance-join", SocketCommand.instanceJoin), ("instance:join", .instanceJoin),
        ("avr/instance:enter", .instanceJoin), ("avr/enter", .instanceJoin),
        ("avr/ping", .ping), ("instance:transform", .instanceTransform),
        ("avr/authenticate", .authenticate), ("instance:leave", .instanceLeave),
    ])
    func `commands are known by the names of older clients`(
        name: String, command: SocketCommand
    ) {
        #expect(CommandNames.command(name) == command)
        let machine = machine()
        let message = Array(#"{"command":"\#(name)"}"#.utf8)
        #expect(outcome(machine.receive(message, now: start)).word == command.rawValue)
    }

    @Test func `before login only ping and authenticate are done`() {
        for command in SocketCommand.allCases {
            let machine = machine(authenticated: false)
            let verdict = machine.receive(
                Array(#"{"command":"\#(command.rawValue)"}"#.utf8), now: start)
            switch command {
            case .ping, .authenticate: #expect(outcome(verdict).word == command.rawValue)
            case _: #expect(code(verdict) == 3)
            }
        }
    }

    @Test func `what comes during an authentication waits for its end, in order`() {
        let machine = machine(authenticated: false)
        func send(_ command: String) -> String {
            outcome(machine.receive(Array(#"{"command":"\#(command)"}"#.utf8), now: start)).word
        }
        #expect(send("authenticate") == "authenticate")
        #expect(send("subscribe") == "wait")
        #expect(send("authenticate") == "wait")
        #expect(send("ping") == "wait")
        #expect(!hasWaiting(machine))
        machine.authenticated(asSomebodyElse: true)
        #expect(machine.nextWaiting().map { outcome($0).word } == "subscribe")
        #expect(machine.nextWaiting().map { outcome($0).word } == "authenticate")
        #expect(!hasWaiting(machine))
        #expect(!machine.refused())
        #expect(machine.nextWaiting().map { outcome($0).word } == "ping")
        #expect(!hasWaiting(machine))
    }

    @Test func `five failures close, and a success forgives`() {
        let machine = machine(authenticated: false)
        for _ in 1...4 { #expect(!machine.refused()) }
        machine.authenticated(asSomebodyElse: true)
        for _ in 1...4 { #expect(!machine.refused()) }
        #expect(machine.refused())
    }

    @Test func `a flood of commands is refused, and then closed`() {
        let machine = machine()
        let ping = Array(#"{"command":"ping"}"#.utf8)
        var words: [String] = []
        for _ in 0..<1_000 {
            let outcome = outcome(machine.receive(ping, now: start))
            words.append(outcome.word)
            if outcome.word.hasPrefix("close") { break }
        }
        #expect(words.prefix { $0 == "ping" }.count == 180)
        #expect(words.filter { $0 == "answer" }.count == 180)
        #expect(words.last == "close 4429")
    }

    @Test func `sixty commands a second are never refused`() {
        let machine = machine()
        let ping = Array(#"{"command":"ping"}"#.utf8)
        for number in 0..<6_000 {
            let now = start + .seconds(1) / 60 * number
            #expect(outcome(machine.receive(ping, now: now)).word == "ping")
        }
    }

    @Test func `who heeds a refusal stays`() {
        let machine = machine()
        let ping = Array(#"{"command":"ping"}"#.utf8)
        for second in 0..<600 {
            for _ in 0..<70 {
                let word = outcome(
                    machine.receive(ping, now: start + .seconds(second))
                ).word
                #expect(!word.hasPrefix("close"))
            }
        }
    }

    @Test func `bytes are counted apart from commands`() {
        let machine = machine()
        let message = Array(#"{"command":"ping","pad":"\#("".padding(65_000))"}"#.utf8)
        var count = 0
        while outcome(machine.receive(message, now: start)).word == "ping" { count += 1 }
        #expect(count == (6 << 20) / message.count)
    }

    @Test func `transforms are counted apart, and held beyond their rate`() {
        let machine = machine()
        let message = Array(#"{"command":"instance-transform","data":{}}"#.utf8)
        let verdicts = (0..<4_000).map { _ in outcome(machine.receive(message, now: start)).word }
        #expect(verdicts.prefix(3_600).allSatisfy { $0 == "instance-transform" })
        #expect(verdicts.dropFirst(3_600).allSatisfy { $0 == "hold" })
        #expect(!machine.mayRelease(now: start))
        #expect(machine.mayRelease(now: start + .milliseconds(1)))
        let ping = Array(#"{"command":"ping"}"#.utf8)
        #expect(outcome(machine.receive(ping, now: start)).word == "ping")
    }

    @Test func `a group covers what is under it, and is listed as it was asked for`() {
        var set = EventSet([SocketEvent.update, .ping])
        #expect(set.covers(.updateUser) && set.covers(.updateServer) && set.covers(.ping))
        #expect(!set.covers(.instanceJoined) && !set.covers(.all))
        #expect(set.events == [.ping, .update])
        set.subtract(EventSet([SocketEvent.update]))
        #expect(!set.isOfInterest)
        #expect(EventSet([SocketEvent.all]).isOfInterest)
        #expect(EventSet([SocketEvent.updateWorld]).isOfInterest)
        for event in SocketEvent.allCases {
            for other in SocketEvent.allCases {
                #expect(EventSet([event]).covers(other) == other.isCovered(by: [event]))
            }
        }
    }

    /// Whatever is sent, in whatever order things end: the machine answers, and what it lets
    /// through is built, allowed, and never a second authentication beside a first.
    @Test(arguments: 1...20)
    func `a random walk never lets through what may not be`(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        let machine = machine(authenticated: false)
        var now = start
        let parts = [
            #"{"command":"authenticate"}"#, #"{"command":"ping","state":1}"#,
            #"{"command":"subscribe","data":{"events":["all"]}}"#, #"{"command":"instance-data"}"#,
            #"{"command":"instance-transform"}"#, #"{"command":"instance-invite"}"#, "{", "",
            #"{"command":"avr/enter","subgroup":"i_01890a5d-ac96-774b-bcce-b302099a8057"}"#,
            #"{"command":"ping","subgroup":"x"}"#,
        ]
        for _ in 0..<2_000 {
            now = now + .milliseconds(random.next(below: 60))
            switch random.next(below: 6) {
            case 0 where machine.isBusy: machine.authenticated(asSomebodyElse: false)
            case 1 where machine.isBusy: _ = machine.refused()
            case 2: if let verdict = machine.nextWaiting() { check(verdict, machine) }
            case _:
                let wasBusy = machine.isBusy
                var message = Array(parts[random.next(below: parts.count)].utf8)
                if random.next(below: 10) == 0, !message.isEmpty {
                    message[random.next(below: message.count)] = UInt8(random.next(below: 128))
                }
                let verdict = machine.receive(message, now: now)
                if wasBusy, case .perform = verdict { #expect(Bool(false)) }
                check(verdict, machine)
            }
        }
    }

    private func check(_ verdict: SessionMachine.Verdict, _ machine: MachineBox) {
        switch verdict {
        case .perform(let command, let frame):
            #expect(frame.target != .other)
            #expect(machine.isAuthenticated || command == .ping || command == .authenticate)
        case .relay(let service, let frame):
            #expect(machine.isAuthenticated && frame.target == .service(service))
        case .answer(let bytes): #expect((try? JSONParser.parse(bytes)) != nil)
        case .hold: #expect(machine.isAuthenticated)
        case .wait: #expect(machine.isBusy)
        case .close: break
        }
    }
}

/// A machine that may be asked within an expectation.
private final class MachineBox {
    var machine: SessionMachine

    init(_ machine: SessionMachine) { self.machine = machine }

    var isBusy: Bool { machine.isBusy }
    var isAuthenticated: Bool { machine.isAuthenticated }
    func receive(_ message: [UInt8], now: Instant) -> SessionMachine.Verdict {
        machine.receive(message, now: now)
    }
    func authenticated(asSomebodyElse: Bool) {
        machine.authenticated(asSomebodyElse: asSomebodyElse)
    }
    func refused() -> Bool { machine.refused() }
    func nextWaiting() -> SessionMachine.Verdict? { machine.nextWaiting() }
    func mayRelease(now: Instant) -> Bool { machine.mayRelease(now: now) }
}

extension String {
    fileprivate func padding(_ count: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, count - utf8.count))
    }
}
