// Sends Entra ID's audits and sign-ins to an event hub. Needs the role Security Administrator, and
// for sign-ins a licence P1 or P2:
//   az deployment tenant create --location LOCATION --template-file entra.bicep \
//       --parameters exportRuleId=ID_FROM_MAIN
targetScope = 'tenant'

@description('Output `exportRuleId` of main.bicep.')
param exportRuleId string

param eventHubName string = 'entra-logs'

param name string = 'watchfire'

var categories = ['AuditLogs', 'SignInLogs', 'NonInteractiveUserSignInLogs', 'ServicePrincipalSignInLogs', 'ManagedIdentitySignInLogs', 'ProvisioningLogs', 'RiskyUsers', 'UserRiskEvents', 'RiskyServicePrincipals', 'ServicePrincipalRiskEvents', 'MicrosoftGraphActivityLogs']

resource entra 'microsoft.aadiam/diagnosticSettings@2017-04-01' = {
  scope: tenant()
  name: name
  properties: {
    eventHubAuthorizationRuleId: exportRuleId
    eventHubName: eventHubName
    logs: [for category in categories: {
      category: category
      enabled: true
    }]
  }
}
