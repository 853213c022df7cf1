import Base
import Testing

/// The buffer under everything that is written: what goes in is there, at every size.
struct ByteWriterTests {
    private func bytes(_ fill: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        fill(&writer)
        return writer.array()
    }

    private func text(_ fill: (inout ByteWriter) -> Void) -> String {
        String(decoding: bytes(fill), as: UTF8.self)
    }

    @Test func `numbers go in high byte first`() {
        #expect(bytes { $0.append(bigEndian: 0x0102 as UInt16) } == [1, 2])
        #expect(bytes { $0.append(bigEndian: 0x0102_0304 as UInt32) } == [1, 2, 3, 4])
        let eight = bytes { $0.append(bigEndian: 0x0102_0304_0506_0708 as UInt64) }
        #expect(eight == [1, 2, 3, 4, 5, 6, 7, 8])
        let patched = bytes {
            $0.append(0)
            $0.append(bigEndian: 0 as UInt32)
            $0.append(9)
            $0.overwrite(bigEndian: 0xA1B2_C3D4, at: 1)
        }
        #expect(patched == [0, 0xA1, 0xB2, 0xC3, 0xD4, 9])
    }

    @Test func `decimals are written whole, the least one too`() {
        #expect(text { $0.append(decimal: 0) } == "0")
        #expect(text { $0.append(decimal: Int64.min) } == "-9223372036854775808")
        #expect(text { $0.append(decimal: UInt64.max) } == "18446744073709551615")
        #expect(text { $0.append(decimal: Int8(-128)) } == "-128")
    }

    @Test func `texts, constants, slices and spans are copied`() {
        let all = text {
            $0.append("é" as String)
            $0.append("-constant-" as StaticString)
            $0.append([1, 2, 65, 66][2...])
            $0.append(([67, 68] as [UInt8]).span)
            $0.append([] as [UInt8])
        }
        #expect(all == "é-constant-ABCD")
    }

    @Test func `it grows, shrinks and lets go of memory`() {
        var writer = ByteWriter(capacity: 3)
        for index in 0..<1_000 { writer.append(UInt8(truncatingIfNeeded: index)) }
        #expect(writer.count == 1_000 && writer.capacity >= 1_000)
        writer.removeFirst(990)
        #expect(writer.array() == (990..<1_000).map { UInt8(truncatingIfNeeded: $0) })
        writer.truncate(to: 2)
        writer.removeFirst(0)
        #expect(writer.array() == [222, 223])
        writer.removeFirst(2)
        #expect(writer.array().isEmpty)
        writer.removeAll(keeping: 10)
        #expect(writer.capacity == 0 && writer.array().isEmpty)
        writer.withSpan { #expect($0.count == 0) }
        writer.append(7)
        writer.withSpan { #expect($0.count == 1 && $0[0] == 7) }
    }

    @Test func `what another fills in counts as far as it says`() throws {
        var writer = ByteWriter()
        writer.append(1)
        let written = unsafe writer.append(upTo: 100) { space in
            unsafe space[0] = 2
            unsafe space[1] = 3
            return 2
        }
        let failed = unsafe writer.append(upTo: 10) { _ in -1 }
        #expect(written == 2 && failed == -1 && writer.array() == [1, 2, 3])
    }

    @Test func `writing over the end traps`() async {
        await #expect(processExitsWith: .failure) {
            var writer = ByteWriter()
            writer.append([1, 2, 3])
            writer.overwrite(bigEndian: 1 as UInt32, at: 0)
        }
        await #expect(processExitsWith: .failure) {
            var writer = ByteWriter()
            writer.removeFirst(-1)
        }
    }
}

/// Reading never goes past the end, and what is missing is told with its place.
struct ByteReaderTests {
    @Test func `integers and ranges are read in order`() throws {
        let bytes: [UInt8] = [1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 9, 9]
        let span = bytes.span
        var reader = ByteReader()
        #expect(try reader.uint8(span) == 1)
        #expect(try reader.uint16(span) == 2)
        #expect(try reader.uint32(span) == 3)
        #expect(try reader.uint64(span) == 4)
        #expect(try reader.range(span, length: 2) == 15..<17)
        #expect(reader.remaining(in: span) == 0)
        #expect(throws: ByteReaderError(offset: 17)) { try reader.uint8(bytes.span) }
    }

    @Test func `nothing is taken where too little is left`() throws {
        let bytes: [UInt8] = [1, 2, 3]
        var reader = ByteReader(at: 1)
        #expect(throws: ByteReaderError(offset: 1)) { try reader.uint32(bytes.span) }
        #expect(throws: ByteReaderError(offset: 1)) { try reader.uint64(bytes.span) }
        #expect(throws: ByteReaderError(offset: 1)) { try reader.range(bytes.span, length: 3) }
        #expect(throws: ByteReaderError(offset: 1)) { try reader.range(bytes.span, length: -1) }
        #expect(try reader.uint16(bytes.span) == 0x0203)
    }
}
