// An Event Hubs namespace for Watchfire, in a resource group:
//   az deployment group create --resource-group RG --template-file main.bicep \
//       --parameters namespaceName=NAME workerPrincipalId=OBJECT_ID
// What is sent to it is set up by activity-log.bicep (a subscription) and entra.bicep (the tenant).

@description('The name of the namespace; worldwide unique.')
@minLength(6)
@maxLength(50)
param namespaceName string

param location string = resourceGroup().location

@description('Standard delivers at least once; Premium has transactions (a preview of Microsoft\'s), gzip and longer retention: docs/event-hubs.md.')
@allowed(['Standard', 'Premium'])
param sku string = 'Standard'

@description('Throughput units (Standard, with which the namespace begins) or processing units (Premium).')
@minValue(1)
@maxValue(16)
param capacity int = 1

@description('Up to how many throughput units a Standard namespace may grow by itself.')
@minValue(1)
@maxValue(40)
param capacityMax int = 4

@description('`app` of the configuration.')
param app string = 'watchfire'

@description('Event hubs that Azure writes to: `sources` of the configuration.')
param sources array = ['insights-activity-logs', 'entra-logs']

@description('As many workers can share the reading.')
@minValue(1)
@maxValue(32)
param sourcePartitions int = 8

@minValue(1)
param sourceRetentionHours int = 168

@description('`matches_partitions`; never changes under one `app`.')
@minValue(1)
@maxValue(32)
param matchesPartitions int = 16

@minValue(1)
@maxValue(32)
param incidentsPartitions int = 4

@description('At least what `watchfire topics create --print bicep` says for your rules. Standard keeps 168 h at most.')
@minValue(72)
param matchesRetentionHours int = 168

@minValue(1)
param incidentsRetentionHours int = 168

@description('The object id of the workers\' managed identity. Empty: no roles are assigned (a connection string is used).')
param workerPrincipalId string = ''

@description('Object ids of those who read incidents.')
param readerPrincipalIds array = []

@description('Networks that may reach the namespace; none: all. Azure\'s own export is let through.')
param allowedSubnetIds array = []

var receiver = 'a638d3c7-ab3a-418d-83e6-5f17a39d4fde'
var sender = '2b629674-e913-4c01-ae53-ef4638d8f975'

resource hubs 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: namespaceName
  location: location
  sku: {
    name: sku
    tier: sku
    capacity: capacity
  }
  properties: {
    kafkaEnabled: true
    minimumTlsVersion: '1.2'
    isAutoInflateEnabled: sku == 'Standard'
    maximumThroughputUnits: sku == 'Standard' ? max(capacity, capacityMax) : 0
  }
}

resource network 'Microsoft.EventHub/namespaces/networkRuleSets@2024-01-01' = if (!empty(allowedSubnetIds)) {
  parent: hubs
  name: 'default'
  properties: {
    defaultAction: 'Deny'
    trustedServiceAccessEnabled: true
    virtualNetworkRules: [for id in allowedSubnetIds: {
      subnet: {
        id: id
      }
    }]
  }
}

// Diagnostic settings write with a rule of the namespace that has all three rights.
resource export 'Microsoft.EventHub/namespaces/authorizationRules@2024-01-01' = {
  parent: hubs
  name: 'export'
  properties: {
    rights: ['Listen', 'Manage', 'Send']
  }
}

resource sourceHubs 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = [for source in sources: {
  parent: hubs
  name: source
  properties: {
    partitionCount: sourcePartitions
    retentionDescription: {
      cleanupPolicy: 'Delete'
      retentionTimeInHours: sourceRetentionHours
    }
  }
}]

resource matches 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: hubs
  name: '${app}.matches'
  properties: {
    partitionCount: matchesPartitions
    retentionDescription: {
      cleanupPolicy: 'Delete'
      retentionTimeInHours: matchesRetentionHours
    }
  }
}

resource incidents 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: hubs
  name: '${app}.incidents'
  properties: {
    partitionCount: incidentsPartitions
    retentionDescription: {
      cleanupPolicy: 'Delete'
      retentionTimeInHours: incidentsRetentionHours
    }
  }
}

resource deadLetters 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: hubs
  name: '${app}.dead-letters'
  properties: {
    partitionCount: 1
    retentionDescription: {
      cleanupPolicy: 'Delete'
      retentionTimeInHours: 168
    }
  }
}

resource rules 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: hubs
  name: '${app}.rules'
  properties: {
    partitionCount: 1
    retentionDescription: {
      cleanupPolicy: 'Compact'
    }
  }
}

// As docs/security.md grants it: each role on a hub, none on the namespace.
resource readsSources 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (source, i) in sources: if (!empty(workerPrincipalId)) {
  scope: sourceHubs[i]
  name: guid(hubs.id, source, workerPrincipalId, receiver)
  properties: {
    principalId: workerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', receiver)
  }
}]

resource readsMatches 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(workerPrincipalId)) {
  scope: matches
  name: guid(matches.id, workerPrincipalId, receiver)
  properties: {
    principalId: workerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', receiver)
  }
}

resource writesMatches 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(workerPrincipalId)) {
  scope: matches
  name: guid(matches.id, workerPrincipalId, sender)
  properties: {
    principalId: workerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sender)
  }
}

resource readsRules 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(workerPrincipalId)) {
  scope: rules
  name: guid(rules.id, workerPrincipalId, receiver)
  properties: {
    principalId: workerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', receiver)
  }
}

resource writesRules 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(workerPrincipalId)) {
  scope: rules
  name: guid(rules.id, workerPrincipalId, sender)
  properties: {
    principalId: workerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sender)
  }
}

resource writesIncidents 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(workerPrincipalId)) {
  scope: incidents
  name: guid(incidents.id, workerPrincipalId, sender)
  properties: {
    principalId: workerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sender)
  }
}

resource writesDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(workerPrincipalId)) {
  scope: deadLetters
  name: guid(deadLetters.id, workerPrincipalId, sender)
  properties: {
    principalId: workerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sender)
  }
}

resource readsIncidents 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for id in readerPrincipalIds: {
  scope: incidents
  name: guid(incidents.id, id, receiver)
  properties: {
    principalId: id
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', receiver)
  }
}]

@description('bootstrap.servers of the configuration.')
output bootstrapServers string = '${namespaceName}.servicebus.windows.net:9093'

@description('What activity-log.bicep and entra.bicep ask for.')
output exportRuleId string = export.id
