import HTTP

/// The public surface as one list: routers are checked against it, documents made from it.
public enum AllEndpoints {
    /// What is built.
    public static let all: [EndpointFacts] =
        ServerAPI.all + AuthAPI.all + UserAPI.all + FollowAPI.all + ExportAPI.all
        + WorldAPI.all + ImageAPI.all + ChallengeAPI.all + IntegrityAPI.all + InstanceAPI.all
        + WaitingAPI.all + SanctionAPI.all + DeliveryAPI.all
        + ServiceAPI.all + AdministrationAPI.all + NodesAPI.all + ModerationAPI.all + RulesAPI.all
        + ReportAPI.all

    /// Templates of older clients, and of which one each is another spelling. They are in no
    /// document: who writes a client today needs them not.
    public static let aliases = [
        (template: "/api/chalnges/:id", original: ChallengeAPI.ChallengePath.template)
    ]

    /// What answers every method; in no document, since somebody else says what it takes.
    public static let ofEveryMethod: [EndpointFacts] = [ServiceAPI.through.facts]
}
