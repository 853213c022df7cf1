import Base
import HTTP

/// A machine to which a socket's bytes go.
protocol ByteTaker: ~Copyable {
    mutating func receive(_ bytes: Span<UInt8>, now: Instant)
}

extension ServerMachine: ByteTaker {}
extension ClientMachine: ByteTaker {}
extension WebSocketMachine: ByteTaker {}

/// A transport and the machine that speaks on it, as one value: an actor that kept them apart
/// would pay for two checks of exclusive access each time one is handed to the other.
struct Wire<Machine: ByteTaker & ~Copyable>: ~Copyable {
    var transport: Transport
    var machine: Machine

    init(_ transport: consuming Transport, _ machine: consuming Machine) {
        self.transport = transport
        self.machine = machine
    }

    /// Reads once and gives the machine what came.
    mutating func receive(now: Instant) -> Transport.Received {
        transport.receive(&machine) { machine, bytes in machine.receive(bytes, now: now) }
    }

    /// Lets the machine write.
    @discardableResult
    mutating func write<Result, Failure: Error>(
        _ fill: (inout Machine, inout ByteWriter) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try transport.write(&machine, fill)
    }
}
