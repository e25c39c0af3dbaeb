// Sends a subscription's activity log to an event hub:
//   az deployment sub create --location LOCATION --template-file activity-log.bicep \
//       --parameters exportRuleId=ID_FROM_MAIN
targetScope = 'subscription'

@description('Output `exportRuleId` of main.bicep.')
param exportRuleId string

param eventHubName string = 'insights-activity-logs'

param name string = 'watchfire'

var categories = ['Administrative', 'Security', 'ServiceHealth', 'Alert', 'Recommendation', 'Policy', 'Autoscale', 'ResourceHealth']

resource activityLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
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
