import Base

/// Frames to bytes, RFC 6455 §5.2.
public enum FrameSerializer {
    /// The most bytes a frame's header has.
    public static let longestHeader = 14

    /// Appends the header of a final frame (`final` false: of a fragment), in the shortest form of
    /// its length. `mask` is the client's; the payload behind it is then XORed with it.
    public static func header(
        _ opcode: Opcode, length: Int, mask: UInt32? = nil, final: Bool = true,
        into output: inout ByteWriter
    ) {
        precondition(!opcode.isControl || length <= 125, "a control frame of \(length) bytes")
        output.append((final ? 0x80 : 0) | opcode.rawValue)
        let masked: UInt8 = mask == nil ? 0 : 0x80
        if length <= 125 {
            output.append(masked | UInt8(length))
        } else if length <= 0xFFFF {
            output.append(masked | 126)
            output.append(bigEndian: UInt16(length))
        } else {
            output.append(masked | 127)
            output.append(bigEndian: UInt64(length))
        }
        if let mask { output.append(bigEndian: mask) }
    }

    /// A whole unmasked frame, to be shared by many receivers.
    public static func frame(_ opcode: Opcode, _ payload: [UInt8]) -> [UInt8] {
        var output = ByteWriter(capacity: payload.count + longestHeader)
        header(opcode, length: payload.count, into: &output)
        output.append(payload)
        return output.array()
    }
}
