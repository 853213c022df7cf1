import API
import Base
import Domain
import Testing

@testable import Reil

/// Protects: what Reil sees of a command that it passes on: which instance, how much, whose path.
struct CommandShapeTests {
    private static let instance = "i_01890a5d-ac96-774b-bcce-b302099a8057"
    private static let player = "p_01890a5d-ac96-774b-bcce-b302099a8057"

    private func frame(_ text: String) throws -> SocketFrame {
        guard case .frame(let frame) = SocketFrame.read(Array(text.utf8)) else {
            throw JSONError(offset: 0, reason: .unexpectedByte)
        }
        return frame
    }

    @Test func `the instance is the data's, else the subgroup's`() throws {
        let id = try #require(InstanceID(Self.instance))
        let inData = try frame(
            #"{"command":"x","data":{"instance":"\#(Self.instance)","data":{"a": 1}}}"#)
        let shape = try #require(DataShape(inData))
        #expect(shape.instance == id && shape.length == 8)
        let inSubgroup = try frame(
            #"{"command":"x","subgroup":"\#(Self.instance)","data":{"data":7}}"#)
        #expect(DataShape(inSubgroup)?.instance == id)
        #expect(inSubgroup.target == .instance(id))
        let unknown = try frame(#"{"command":"x","data":{"instance":"lobby","data":7}}"#)
        #expect(DataShape(unknown) != nil && DataShape(unknown)?.instance == nil)
        #expect(DataShape(try frame(#"{"command":"x","data":{"instance":7}}"#)) == nil)
        #expect(DataShape(try frame(#"{"command":"x"}"#)) == nil)
    }

    @Test func `a body is moved by its owner, objects by whom the room lets`() throws {
        let player = try #require(PlayerID(Self.player))
        func mayMove(_ path: String) throws -> Bool? {
            TransformShape(try frame(#"{"command":"x","data":{"path":"\#(path)"}}"#))?
                .mayBeMoved(by: player)
        }
        #expect(try mayMove("p:@me/body/head") == true)
        #expect(try mayMove("p:\(Self.player)/body") == true)
        #expect(try mayMove("p:p_other/body") == false)
        #expect(try mayMove("p:") == false)
        #expect(try mayMove("o:door/handle") == true)
        #expect(TransformShape(try frame(#"{"command":"x","data":{"path":7}}"#)) == nil)
    }
}
