import API
import Base
import Domain
import Federation
import HTTP

/// What another node has to tell, `PUT /api/deliveries`: it is read here, as far as it may be
/// believed, and done by Eta.
struct DeliveryController: Sendable {
    let eta: EtaLink
    let peers: PeerClient

    @Sendable func take(
        _ path: DeliveryAPI.DeliveriesPath, _ body: DeliveryAPI.Batch, _ context: RequestContext
    ) async throws(APIError) -> DeliveryAPI.Receipt {
        guard let server = context.caller.server else { throw APIError(.wrongCredential) }
        if let length = context.request.bodyLength, length > DeliveryAPI.byteLimit + 4_096 {
            throw APIError(.payloadTooLarge)
        }
        guard body.items.count <= DeliveryAPI.itemLimit else {
            throw APIError(
                .serverInvalidInput, field: "items", "must be at most \(DeliveryAPI.itemLimit)")
        }
        let ids = body.items.map { $0["id"]?.integerValue ?? 0 }
        guard zip([0] + ids, ids).allSatisfy(<) else {
            throw APIError(.serverInvalidInput, field: "items", "must have ids that rise")
        }
        var items: [Delivery] = []
        var refused: [DeliveryAPI.Refused] = []
        for (item, id) in zip(body.items, ids) {
            do throws(APIError) {
                items.append(try await read(item, from: server))
            } catch {
                refused.append(DeliveryAPI.Refused(id: id, code: error.code))
            }
        }
        let receipt = try await eta.call(
            RegistryAPI.takeDeliveries,
            RegistryAPI.Deliveries(
                stream: body.stream, items: items, through: ids.last ?? 0),
            captures: [server.text], on: context.request.loop)
        return DeliveryAPI.Receipt(
            applied: receipt.applied,
            refused: (refused + receipt.refused).sorted { $0.id < $1.id })
    }

    /// An item of that node.
    ///
    /// - Throws: 29 for one that cannot be read, 41 for a user who is not the node's, or shows
    ///   images that are not.
    private func read(
        _ item: JSONValue, from server: ServerAddress
    ) async throws(APIError) -> Delivery {
        let delivery: Delivery
        do throws(InvalidFields) {
            delivery = try JSONCoder.decode(Delivery.self, from: item)
        } catch {
            throw APIError(.serverInvalidInput, error)
        }
        guard case .user(var profile) = delivery.word else { return delivery }
        let peer = try await peers.peer(server)
        do throws(APIError) {
            try profile.admit(from: peer, asked: [])
        } catch {
            throw APIError(.objectNotInternal, context: error.context)
        }
        return Delivery(id: delivery.id, at: delivery.at, .user(profile))
    }
}
