"""The documents of IEEE 2030.5-2018 that we serve or accept, as a table: names, order and types of the schema.

Field names are the schema's own, but for a field that holds an element named after its type: it has a
short name in lower case (`items`, `base`, `status`). `all` and `results` are filled in by `paging`.
"""

from dataclasses import dataclass
from typing import ClassVar

from ieee2030_5.codec import CSIP_AUS, Extension, Written, attribute, csipaus, typed
from ieee2030_5.scalars import (
    LFDI,
    MRID,
    Bool,
    Hex8,
    Hex16,
    Hex32,
    Hex64,
    Int8,
    Int16,
    Int32,
    Int48,
    OneHourRange,
    PerCent,
    SignedPerCent,
    String6,
    String16,
    String20,
    String32,
    String42,
    String192,
    TimeType,
    UInt8,
    UInt16,
    UInt32,
    UInt40,
    UInt48,
    Uri,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Anything with a URI."""

    _named: ClassVar[bool] = True

    href: Uri | None = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribableResource(Resource):
    """Something that a client may subscribe to; 1 where we notify."""

    subscribable: UInt8 | None = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where another resource is."""

    href: Uri = attribute("")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLink(Link):
    """Where a list is, and how many items this client would find there."""

    all: UInt32 | None = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class List(Resource):
    """One page of a list."""

    all: UInt32 = attribute(0)
    results: UInt32 = attribute(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribableList(SubscribableResource):
    """One page of a list that a client may subscribe to."""

    all: UInt32 = attribute(0)
    results: UInt32 = attribute(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """Body of every refusal: 0 invalid request format, 1 invalid values, 2 resource limit, 3 condition, 4 frequency."""

    maxRetryDuration: UInt16 | None = None
    reasonCode: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePower:
    """Watts: value times ten to the multiplier."""

    multiplier: Int8
    value: Int16


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactivePower:
    """Vars."""

    multiplier: Int8
    value: Int16


@dataclass(frozen=True, slots=True, kw_only=True)
class ApparentPower:
    """Volt-amperes."""

    multiplier: Int8
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRMS:
    """Amperes."""

    multiplier: Int8
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageRMS:
    """Volts."""

    multiplier: Int8
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class WattHour:
    """Watt-hours."""

    multiplier: Int8
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class AmpereHour:
    """Ampere-hours."""

    multiplier: Int8
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveSusceptance:
    """Siemens."""

    multiplier: Int8
    value: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFactor:
    """A displacement factor."""

    displacement: UInt16
    multiplier: Int8


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFactorWithExcitation:
    """A displacement factor and on which side."""

    displacement: UInt16
    excitation: Bool
    multiplier: Int8


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedVar:
    """Reactive power as a share of what `refType` names."""

    refType: UInt8
    value: SignedPerCent


@dataclass(frozen=True, slots=True, kw_only=True)
class FreqDroopType:
    """A frequency droop."""

    dBOF: UInt32
    dBUF: UInt32
    kOF: UInt16
    kUF: UInt16
    openLoopTms: UInt16


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTimeInterval:
    """Seconds from a start; the end is not part of it."""

    duration: UInt32
    start: TimeType


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitValueType:
    """A value with its unit."""

    multiplier: Int8
    unit: UInt8
    value: Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSetAssignmentsBase(Resource):
    """Links to the function sets."""

    CustomerAccountListLink: ListLink | None = None
    DemandResponseProgramListLink: ListLink | None = None
    DERProgramListLink: ListLink | None = None
    FileListLink: ListLink | None = None
    MessagingProgramListLink: ListLink | None = None
    PrepaymentListLink: ListLink | None = None
    ResponseSetListLink: ListLink | None = None
    TariffProfileListLink: ListLink | None = None
    TimeLink: Link | None = None
    UsagePointListLink: ListLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCapability(FunctionSetAssignmentsBase):
    """The entry: what this server offers to this client."""

    pollRate: UInt32 | None = attribute()
    EndDeviceListLink: ListLink | None = None
    MirrorUsagePointListLink: ListLink | None = None
    SelfDeviceLink: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Time(Resource):
    """The clock that events are timed against."""

    pollRate: UInt32 | None = attribute()
    currentTime: TimeType
    dstEndTime: TimeType
    dstOffset: Int32
    dstStartTime: TimeType
    localTime: TimeType | None = None
    quality: UInt8
    tzOffset: Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class AbstractDevice(SubscribableResource):
    """What SelfDevice and EndDevice share."""

    ConfigurationLink: Link | None = None
    DERListLink: ListLink | None = None
    deviceCategory: Hex32 | None = None
    DeviceInformationLink: Link | None = None
    DeviceStatusLink: Link | None = None
    FileStatusLink: Link | None = None
    IPInterfaceListLink: ListLink | None = None
    lFDI: LFDI | None = None
    LoadShedAvailabilityListLink: ListLink | None = None
    LogEventListLink: ListLink | None = None
    PowerStatusLink: Link | None = None
    sFDI: UInt40


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfDevice(AbstractDevice):
    """This server."""

    pollRate: UInt32 | None = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDevice(AbstractDevice):
    """A client, or a device that a client speaks for."""

    changedTime: TimeType
    enabled: Bool | None = None
    FlowReservationRequestListLink: ListLink | None = None
    FlowReservationResponseListLink: ListLink | None = None
    FunctionSetAssignmentsListLink: ListLink | None = None
    postRate: UInt32 | None = None
    RegistrationLink: Link | None = None
    SubscriptionListLink: ListLink | None = None
    ConnectionPointLink: Link | None = csipaus()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDeviceList(SubscribableList):
    """The devices of this client."""

    pollRate: UInt32 | None = attribute()
    items: tuple[EndDevice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration(Resource):
    """When a device was registered, and the PIN by which it knows this server."""

    pollRate: UInt32 | None = attribute()
    dateTimeRegistered: TimeType
    pIN: UInt32


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPoint(Resource):
    """CSIP-AUS: where the device is connected, normally its NMI."""

    _namespace: ClassVar[str] = CSIP_AUS

    connectionPointId: String32 | None = csipaus()


@dataclass(frozen=True, slots=True, kw_only=True)
class RealEnergy:
    """Watt-hours."""

    multiplier: Int8
    value: UInt48


@dataclass(frozen=True, slots=True, kw_only=True)
class DRLCCapabilities:
    """What a device can do for demand response."""

    averageEnergy: RealEnergy
    maxDemand: ActivePower
    optionsImplemented: Hex32

    _named: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GPSLocation:
    """Where a device stands, in degrees."""

    lat: String32
    lon: String32


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInformation(Resource):
    """What a device is: maker, model, versions."""

    pollRate: UInt32 | None = attribute()
    drlc: DRLCCapabilities | None = None
    functionsImplemented: Hex64 | None = None
    gpsLocation: GPSLocation | None = None
    lFDI: LFDI
    mfDate: TimeType
    mfHwVer: String32
    mfID: UInt32
    mfInfo: String32 | None = None
    mfModel: String32
    mfSerNum: String32
    primaryPower: UInt8
    secondaryPower: UInt8
    SupportedLocaleListLink: ListLink | None = None
    swActTime: TimeType
    swVer: String32


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerConfiguration:
    """What a device is told of its battery."""

    _named: ClassVar[bool] = True

    batteryInstallTime: TimeType | None = None
    lowChargeThreshold: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeConfiguration:
    """The local time that a device keeps."""

    _named: ClassVar[bool] = True

    dstEndRule: Hex32
    dstOffset: Int32
    dstStartRule: Hex32
    tzOffset: Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration(SubscribableResource):
    """How a device is set up for its user."""

    pollRate: UInt32 | None = attribute()
    currentLocale: String42
    power: PowerConfiguration | None = None
    PriceResponseCfgListLink: ListLink | None = None
    clock: TimeConfiguration | None = None
    userDeviceName: String32


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """A temperature in degrees Celsius, and of what."""

    multiplier: Int8
    subject: UInt8
    value: Int16

    _named: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus(Resource):
    """How a device runs."""

    pollRate: UInt32 | None = attribute()
    changedTime: TimeType
    onCount: UInt16 | None = None
    opState: UInt8 | None = None
    opTime: UInt32 | None = None
    temperatures: tuple[Temperature, ...] = ()
    TimeLink: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PEVInfo:
    """What an electric vehicle wants."""

    chargingPowerNow: ActivePower
    energyRequestNow: RealEnergy
    maxForwardPower: ActivePower
    minimumChargingDuration: UInt32
    targetStateOfCharge: PerCent
    timeChargeIsNeeded: TimeType
    timeChargingStatusPEV: TimeType

    _named: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerStatus(Resource):
    """What a device is powered from."""

    pollRate: UInt32 | None = attribute()
    batteryStatus: UInt8
    changedTime: TimeType
    currentPowerSource: UInt8
    estimatedChargeRemaining: PerCent | None = None
    estimatedTimeRemaining: UInt32 | None = None
    pev: PEVInfo | None = None
    sessionTimeOnBattery: UInt32 | None = None
    totalTimeOnBattery: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSetAssignments(FunctionSetAssignmentsBase):
    """The programs that apply to a device."""

    subscribable: UInt8 | None = attribute()
    mRID: MRID
    description: String32 | None = None
    version: UInt16 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSetAssignmentsList(SubscribableList):
    """The assignments of one device."""

    pollRate: UInt32 | None = attribute()
    items: tuple[FunctionSetAssignments, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifiedObject(Resource):
    """Something with a name that never changes."""

    mRID: MRID
    description: String32 | None = None
    version: UInt16 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribableIdentifiedObject(SubscribableResource):
    """The same, and a client may subscribe to it."""

    mRID: MRID
    description: String32 | None = None
    version: UInt16 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERProgram(SubscribableIdentifiedObject):
    """A group of controls with one primacy; the lower number wins."""

    ActiveDERControlListLink: ListLink | None = None
    DefaultDERControlLink: Link | None = None
    DERControlListLink: ListLink | None = None
    DERCurveListLink: ListLink | None = None
    primacy: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class DERProgramList(SubscribableList):
    """Programs, the winning one first."""

    pollRate: UInt32 | None = attribute()
    items: tuple[DERProgram, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DERControlBase:
    """What a control asks for, one element per mode."""

    _named: ClassVar[bool] = True

    opModConnect: Bool | None = None
    opModEnergize: Bool | None = None
    opModFixedPFAbsorbW: PowerFactorWithExcitation | None = None
    opModFixedPFInjectW: PowerFactorWithExcitation | None = None
    opModFixedVar: FixedVar | None = None
    opModFixedW: SignedPerCent | None = None
    opModFreqDroop: FreqDroopType | None = None
    opModFreqWatt: Link | None = None
    opModHFRTMayTrip: Link | None = None
    opModHFRTMustTrip: Link | None = None
    opModHVRTMayTrip: Link | None = None
    opModHVRTMomentaryCessation: Link | None = None
    opModHVRTMustTrip: Link | None = None
    opModLFRTMayTrip: Link | None = None
    opModLFRTMustTrip: Link | None = None
    opModLVRTMayTrip: Link | None = None
    opModLVRTMomentaryCessation: Link | None = None
    opModLVRTMustTrip: Link | None = None
    opModMaxLimW: PerCent | None = None
    opModTargetVar: ReactivePower | None = None
    opModTargetW: ActivePower | None = None
    opModVoltVar: Link | None = None
    opModVoltWatt: Link | None = None
    opModWattPF: Link | None = None
    opModWattVar: Link | None = None
    rampTms: UInt16 | None = None
    opModImpLimW: ActivePower | None = csipaus()
    opModExpLimW: ActivePower | None = csipaus()
    opModGenLimW: ActivePower | None = csipaus()
    opModLoadLimW: ActivePower | None = csipaus()
    opModStorageTargetW: ActivePower | None = csipaus(since=Extension.STORAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultDERControl(SubscribableIdentifiedObject):
    """What holds while no event drives a mode, and while the device cannot reach us."""

    base: DERControlBase
    setESDelay: UInt32 | None = None
    setESHighFreq: UInt16 | None = None
    setESHighVolt: Int16 | None = None
    setESLowFreq: UInt16 | None = None
    setESLowVolt: Int16 | None = None
    setESRampTms: UInt32 | None = None
    setESRandomDelay: UInt32 | None = None
    setGradW: UInt16 | None = None
    setSoftGradW: UInt16 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStatus:
    """How far an event has come."""

    _named: ClassVar[bool] = True

    currentStatus: UInt8
    dateTime: TimeType
    potentiallySuperseded: Bool
    potentiallySupersededTime: TimeType | None = None
    reason: String192 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Resource):
    """Something that is so in an interval, and how far it has come."""

    replyTo: Uri | None = attribute()
    responseRequired: Hex8 | None = attribute()
    subscribable: UInt8 | None = attribute()
    mRID: MRID
    description: String32 | None = None
    version: UInt16 | None = None
    creationTime: TimeType
    status: EventStatus
    interval: DateTimeInterval


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomizableEvent(Event):
    """An event whose start and duration each device varies at random, in seconds."""

    randomizeDuration: OneHourRange | None = None
    randomizeStart: OneHourRange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERControl(RandomizableEvent):
    """What a device shall do in an interval."""

    base: DERControlBase
    deviceCategory: Hex32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERControlList(SubscribableList):
    """Events by start."""

    items: tuple[DERControl, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveData:
    """One point of a curve, before the multipliers."""

    _named: ClassVar[bool] = True

    excitation: Bool | None = None
    xvalue: Int32
    yvalue: Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class DERCurve(IdentifiedObject):
    """A curve that controls refer to; it never changes, another curve takes its place."""

    autonomousVRefEnable: Bool | None = None
    autonomousVRefTimeConstant: UInt32 | None = None
    creationTime: TimeType
    points: tuple[CurveData, ...]
    curveType: UInt8
    openLoopTms: UInt16 | None = None
    rampDecTms: UInt16 | None = None
    rampIncTms: UInt16 | None = None
    rampPT1Tms: UInt16 | None = None
    vRef: PerCent | None = None
    xMultiplier: Int8
    yMultiplier: Int8
    yRefType: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class DERCurveList(List):
    """The curves of one program."""

    items: tuple[DERCurve, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRealEnergy:
    """Watt-hours, positive into the device."""

    multiplier: Int8
    value: Int48


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStatus:
    """0 requested, 1 cancelled."""

    _named: ClassVar[bool] = True

    dateTime: TimeType
    requestStatus: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReservationRequest(IdentifiedObject):
    """How much energy a device wants to have moved within a window."""

    creationTime: TimeType
    durationRequested: UInt16 | None = None
    energyRequested: SignedRealEnergy
    intervalRequested: DateTimeInterval
    powerRequested: ActivePower
    request_status: RequestStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReservationRequestList(List):
    """The requests of one device."""

    pollRate: UInt32 | None = attribute()
    items: tuple[FlowReservationRequest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReservationResponse(Event):
    """What is granted to a request, and when."""

    energyAvailable: SignedRealEnergy
    powerAvailable: ActivePower
    subject: MRID


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReservationResponseList(SubscribableList):
    """The grants of one device."""

    pollRate: UInt32 | None = attribute()
    items: tuple[FlowReservationResponse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DER(SubscribableResource):
    """One energy resource of a device."""

    AssociatedDERProgramListLink: ListLink | None = None
    AssociatedUsagePointLink: Link | None = None
    CurrentDERProgramLink: Link | None = None
    DERAvailabilityLink: Link | None = None
    DERCapabilityLink: Link | None = None
    DERSettingsLink: Link | None = None
    DERStatusLink: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERList(List):
    """The energy resources of a device."""

    pollRate: UInt32 | None = attribute()
    items: tuple[DER, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DERCapability(Resource):
    """Nameplate of a DER."""

    modesSupported: Hex32
    rtgAbnormalCategory: UInt8 | None = None
    rtgMaxA: CurrentRMS | None = None
    rtgMaxAh: AmpereHour | None = None
    rtgMaxChargeRateVA: ApparentPower | None = None
    rtgMaxChargeRateW: ActivePower | None = None
    rtgMaxDischargeRateVA: ApparentPower | None = None
    rtgMaxDischargeRateW: ActivePower | None = None
    rtgMaxV: VoltageRMS | None = None
    rtgMaxVA: ApparentPower | None = None
    rtgMaxVar: ReactivePower | None = None
    rtgMaxVarNeg: ReactivePower | None = None
    rtgMaxW: ActivePower
    rtgMaxWh: WattHour | None = None
    rtgMinPFOverExcited: PowerFactor | None = None
    rtgMinPFUnderExcited: PowerFactor | None = None
    rtgMinV: VoltageRMS | None = None
    rtgNormalCategory: UInt8 | None = None
    rtgOverExcitedPF: PowerFactor | None = None
    rtgOverExcitedW: ActivePower | None = None
    rtgReactiveSusceptance: ReactiveSusceptance | None = None
    rtgUnderExcitedPF: PowerFactor | None = None
    rtgUnderExcitedW: ActivePower | None = None
    rtgVNom: VoltageRMS | None = None
    type: UInt8
    doeModesSupported: Hex8 | None = csipaus()
    vppModesSupported: Hex8 | None = csipaus(since=Extension.STORAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DERSettings(SubscribableResource):
    """What the DER is set to; percentages count from `setMaxW`."""

    modesEnabled: Hex32 | None = None
    setESDelay: UInt32 | None = None
    setESHighFreq: UInt16 | None = None
    setESHighVolt: Int16 | None = None
    setESLowFreq: UInt16 | None = None
    setESLowVolt: Int16 | None = None
    setESRampTms: UInt32 | None = None
    setESRandomDelay: UInt32 | None = None
    setGradW: UInt16
    setMaxA: CurrentRMS | None = None
    setMaxAh: AmpereHour | None = None
    setMaxChargeRateVA: ApparentPower | None = None
    setMaxChargeRateW: ActivePower | None = None
    setMaxDischargeRateVA: ApparentPower | None = None
    setMaxDischargeRateW: ActivePower | None = None
    setMaxV: VoltageRMS | None = None
    setMaxVA: ApparentPower | None = None
    setMaxVar: ReactivePower | None = None
    setMaxVarNeg: ReactivePower | None = None
    setMaxW: ActivePower
    setMaxWh: WattHour | None = None
    setMinPFOverExcited: PowerFactor | None = None
    setMinPFUnderExcited: PowerFactor | None = None
    setMinV: VoltageRMS | None = None
    setSoftGradW: UInt16 | None = None
    setVNom: VoltageRMS | None = None
    setVRef: VoltageRMS | None = None
    setVRefOfs: VoltageRMS | None = None
    updatedTime: TimeType
    doeModesEnabled: Hex8 | None = csipaus()
    vppModesEnabled: Hex8 | None = csipaus(since=Extension.STORAGE)
    setMinWh: WattHour | None = csipaus(since=Extension.STORAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusBits:
    """A bitmap and when it was so."""

    dateTime: TimeType
    value: Hex8


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusNumber:
    """A code and when it was so."""

    dateTime: TimeType
    value: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPercent:
    """A share and when it was so."""

    dateTime: TimeType
    value: PerCent


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusText:
    """A word of the manufacturer and when it was so."""

    dateTime: TimeType
    value: String6


@dataclass(frozen=True, slots=True, kw_only=True)
class DERStatus(SubscribableResource):
    """How the DER is now."""

    alarmStatus: Hex32 | None = None
    genConnectStatus: StatusBits | None = None
    inverterStatus: StatusNumber | None = None
    localControlModeStatus: StatusNumber | None = None
    manufacturerStatus: StatusText | None = None
    operationalModeStatus: StatusNumber | None = None
    readingTime: TimeType
    stateOfChargeStatus: StatusPercent | None = None
    storageModeStatus: StatusNumber | None = None
    storConnectStatus: StatusBits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DERAvailability(SubscribableResource):
    """What the DER could do now."""

    availabilityDuration: UInt32 | None = None
    maxChargeDuration: UInt32 | None = None
    readingTime: TimeType
    reserveChargePercent: PerCent | None = None
    reservePercent: PerCent | None = None
    statVarAvail: ReactivePower | None = None
    statWAvail: ActivePower | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Resource):
    """What became of an event at a device."""

    createdDateTime: TimeType | None = None
    endDeviceLFDI: LFDI
    status: UInt8 | None = None
    subject: MRID


@dataclass(frozen=True, slots=True, kw_only=True)
class DERControlResponse(Response):
    """The same, about a DERControl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseList(List):
    """Responses, the newest first."""

    items: tuple[Response, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSet(IdentifiedObject):
    """Where the responses of one program go."""

    ResponseListLink: ListLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSetList(List):
    """The response sets of this client."""

    pollRate: UInt32 | None = attribute()
    items: tuple[ResponseSet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent(Resource):
    """Something that happened at a device."""

    createdDateTime: TimeType
    details: String32 | None = None
    extendedData: UInt32 | None = None
    functionSet: UInt8
    logEventCode: UInt8
    logEventID: UInt16
    logEventPEN: UInt32
    profileID: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEventList(SubscribableList):
    """What happened, the newest first."""

    pollRate: UInt32 | None = attribute()
    items: tuple[LogEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Resource):
    """One value."""

    subscribable: UInt8 | None = attribute()
    consumptionBlock: UInt8 | None = None
    qualityFlags: Hex16 | None = None
    timePeriod: DateTimeInterval | None = None
    touTier: UInt8 | None = None
    value: Int48 | None = None
    localID: Hex16 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingType(Resource):
    """What a series of values measures."""

    accumulationBehaviour: UInt8 | None = None
    calorificValue: UnitValueType | None = None
    commodity: UInt8 | None = None
    conversionFactor: UnitValueType | None = None
    dataQualifier: UInt8 | None = None
    flowDirection: UInt8 | None = None
    intervalLength: UInt32 | None = None
    kind: UInt8 | None = None
    maxNumberOfIntervals: UInt8 | None = None
    numberOfConsumptionBlocks: UInt8 | None = None
    numberOfTouTiers: UInt8 | None = None
    phase: UInt8 | None = None
    powerOfTenMultiplier: Int8 | None = None
    subIntervalLength: UInt32 | None = None
    supplyLimit: UInt48 | None = None
    tieredConsumptionBlocks: Bool | None = None
    uom: UInt8 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReadingSet(IdentifiedObject):
    """Values of one period."""

    timePeriod: DateTimeInterval
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorMeterReading(IdentifiedObject):
    """One series of values that a client reports."""

    lastUpdateTime: TimeType | None = None
    reading_sets: tuple[MirrorReadingSet, ...] = ()
    nextUpdateTime: TimeType | None = None
    reading: Reading | None = None
    reading_type: ReadingType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorMeterReadingList(List):
    """Several series at once."""

    items: tuple[MirrorMeterReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorUsagePoint(IdentifiedObject):
    """A meter that a client reports."""

    roleFlags: Hex16
    serviceCategoryKind: UInt8
    status: UInt8
    deviceLFDI: LFDI
    meter_readings: tuple[MirrorMeterReading, ...] = ()
    postRate: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorUsagePointList(List):
    """The meters that this client reports."""

    pollRate: UInt32 | None = attribute()
    items: tuple[MirrorUsagePoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffProfile(IdentifiedObject):
    """What a group of devices pays."""

    currency: UInt16 | None = None
    pricePowerOfTenMultiplier: Int8 | None = None
    primacy: UInt8
    rateCode: String20 | None = None
    RateComponentListLink: ListLink | None = None
    serviceCategoryKind: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffProfileList(SubscribableList):
    """The tariffs of this client."""

    pollRate: UInt32 | None = attribute()
    items: tuple[TariffProfile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateComponent(IdentifiedObject):
    """One part of a tariff, and what it counts."""

    ActiveTimeTariffIntervalListLink: ListLink | None = None
    flowRateEndLimit: UnitValueType | None = None
    flowRateStartLimit: UnitValueType | None = None
    ReadingTypeLink: Link
    roleFlags: Hex16
    TimeTariffIntervalListLink: ListLink


@dataclass(frozen=True, slots=True, kw_only=True)
class RateComponentList(List):
    """The parts of one tariff."""

    items: tuple[RateComponent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTariffInterval(RandomizableEvent):
    """An interval with its own prices."""

    ConsumptionTariffIntervalListLink: ListLink | None = None
    touTier: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTariffIntervalList(SubscribableList):
    """Intervals by start."""

    items: tuple[TimeTariffInterval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentalCost:
    """What a unit of consumption costs the environment."""

    _named: ClassVar[bool] = True

    amount: UInt32
    costKind: UInt8
    costLevel: UInt8
    numCostLevels: UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumptionTariffInterval(Resource):
    """The price from a quantity on."""

    consumptionBlock: UInt8
    costs: tuple[EnvironmentalCost, ...] = ()
    price: Int32 | None = None
    startValue: UInt48


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumptionTariffIntervalList(List):
    """Prices by quantity."""

    items: tuple[ConsumptionTariffInterval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePoint(IdentifiedObject):
    """A meter as the Metering function set shows it."""

    roleFlags: Hex16
    serviceCategoryKind: UInt8
    status: UInt8
    deviceLFDI: LFDI | None = None
    MeterReadingListLink: ListLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePointList(SubscribableList):
    """The meters of this client."""

    pollRate: UInt32 | None = attribute()
    items: tuple[UsagePoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading(IdentifiedObject):
    """One series of values."""

    RateComponentListLink: ListLink | None = None
    ReadingLink: Link | None = None
    ReadingSetListLink: ListLink | None = None
    ReadingTypeLink: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadingList(SubscribableList):
    """The series of one meter."""

    items: tuple[MeterReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSet(IdentifiedObject):
    """Values of one period."""

    timePeriod: DateTimeInterval
    ReadingListLink: ListLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSetList(SubscribableList):
    """The sets of one series."""

    items: tuple[ReadingSet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingList(SubscribableList):
    """The values of one set."""

    items: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a subscriber wants to hear of a change."""

    _named: ClassVar[bool] = True

    attributeIdentifier: UInt8
    lowerThreshold: Int48
    upperThreshold: Int48


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription(Resource):
    """A client wants to be told of changes."""

    subscribedResource: Uri
    condition: Condition | None = None
    encoding: UInt8
    level: String16
    limit: UInt32
    notificationURI: Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionList(List):
    """The subscriptions of one device."""

    pollRate: UInt32 | None = attribute()
    items: tuple[Subscription, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification(Resource):
    """What a subscriber is told: what the resource is now, or that the subscription has ended."""

    subscribedResource: Uri
    newResourceURI: Uri | None = None
    resource: Resource | Written | None = typed()
    status: UInt8
    subscriptionURI: Uri
