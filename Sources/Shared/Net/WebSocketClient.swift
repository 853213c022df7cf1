import Base
import HTTP

/// Dials WebSockets.
public enum WebSocketClient {
    /// Opens one on `loop` and returns the subprotocol that the server chose.
    ///
    /// `request` is a GET without a body; the fields of the handshake are added. The receiver is
    /// made on the loop, once, when the handshake is done.
    public static func connect(
        _ request: ClientRequest, subprotocols: [String] = [],
        limits: WebSocketLimits = WebSocketLimits(), client: HTTPClient, on loop: any LoopExecutor,
        receiver: @escaping @Sendable (any WebSocketSink) -> any MessageReceiver
    ) async throws(ClientError) -> String? {
        var request = request
        let handshake = Handshake.request(subprotocols: subprotocols, random: client.random)
        request.fields.append(handshake.fields)
        let (connection, response) = try await client.upgrade(request, on: loop)
        let chosen: String?
        do throws(Handshake.Failure) {
            chosen = try Handshake.check(
                response.head, key: handshake.key, subprotocols: subprotocols)
        } catch {
            connection.drop()
            if case .refused(let status) = error { throw .upgradeRefused(status) }
            throw .badHandshake
        }
        try await connection.become(webSocket: limits, random: client.random, receiver: receiver)
        return chosen
    }
}
