"""ShipMonk's published closed sets of values (interface description v1.024)."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What can be required before an order can go on."""

    ITEM_MAPPING = "item_mapping"
    ADDRESS = "address"
    SHIPPING_MAPPING = "shipping_mapping"
    CUSTOMS = "customs"
    AT_RISK = "at_risk"
    ROUTING = "routing"
    FREIGHT_QUOTE = "freight_quote"
    FREIGHT_INFO = "freight_info"
    SHIP_SHORT = "ship_short"
    HS_CODE = "hs_code"
    GLOBAL_E_LABEL = "global_e_label"
    AUTOMATION_RULE = "automation_rule"
    PENDING_B2B_ROUTING = "pending_b2b_routing"
    VALUE_ADDED_SERVICE_PROBLEM = "value_added_service_problem"


class OrderType(StrEnum):
    """What kind of order it is."""

    DIRECT_TO_CONSUMER = "direct_to_consumer"
    RETAIL = "retail"
    AMAZON = "amazon"
    TRANSFER = "transfer"
    INTERNAL_WAREHOUSE_TRANSFER = "internal_warehouse_transfer"
    REMOVAL_LIQUIDATION = "removal_liquidation"
    DISPOSAL = "disposal"
    BONDED_INVENTORY_CLEARANCE = "bonded_inventory_clearance"
    WORK_ORDER = "work_order"


class WmsType(StrEnum):
    """Which system runs a warehouse."""

    SHIPMONK = "shipmonk"
    DEPOSCO = "deposco"
    MERCHANT_FACILITY = "merchant_facility"


class ItemSource(StrEnum):
    """How a line came into the order."""

    IMPORTED = "imported"
    MANUAL = "manual"
    INSERTED = "inserted"
    PACKAGING = "packaging"
    CLAIM_RESHIP = "claim_reship"


class ReferenceType(StrEnum):
    """What kind of identifier a reference is."""

    ORDER_NUMBER = "order_number"
    ORIGINAL_IMPORTED_ORDER_NUMBER = "original_imported_order_number"
    CUSTOMER_ORDER_NUMBER = "customer_order_number"
    PO_NUMBER = "po_number"
    REFERENCE_NUMBER = "reference_number"
    B2B_ROUTING_REFERENCE = "b2b_routing_reference"
    RELEASE_NUMBER = "release_number"
    JOB_NUMBER = "job_number"
    DEPOSITOR_ORDER_NUMBER = "depositor_order_number"


class CartonLabelType(StrEnum):
    """What is printed on a carton."""

    SHIPMONK_PACK_LIST_ORDER_LEVEL = "shipmonk_pack_list_order_level"
    SHIPMONK_PACK_LIST_CARTON_LEVEL = "shipmonk_pack_list_carton_level"
    RETAILER_PACKING_SLIP_ORDER_LEVEL = "retailer_packing_slip_order_level"
    SHIPMONK_CARTON_LABEL = "shipmonk_carton_label"
    SHIPMONK_PALLET_LABEL = "shipmonk_pallet_label"
    GS1_LABEL = "gs1_label"
    SHIPMONK_GS1 = "shipmonk_gs1"
    CUSTOMIZED_CARTON_LABELS = "customized_carton_labels"
    LIQUID_IV_PACKING_LIST = "liquid_iv_packing_list"
    CUSTOM_PACK_LIST_ORDER_LEVEL = "custom_pack_list_order_level"
    SPECIAL_INSTRUCTIONS = "special_instructions"


class TaxIdType(StrEnum):
    """What kind of tax identifier it is."""

    VAT = "VAT"
    IOSS = "IOSS"
    TIN = "TIN"
    EIN = "EIN"
    EORI = "EORI"
    ARN = "ARN"
    RFC = "RFC"
    CPF = "CPF"
    CNPJ = "CNPJ"
    PCCC = "PCCC"


class OrderSize(StrEnum):
    """How large the items of an order are."""

    UNKNOWN = "unknown"
    REGULAR = "regular"
    OVERSIZED_ITEM = "oversized_item"
    LARGE = "large"
    EXTRA_LARGE = "extra_large"


class ExtraDataLabel(StrEnum):
    """What an entry of extra data is about."""

    CARRIER_SHIPPING_METHOD = "carrierShippingMethod"


class FulfillmentStrategy(StrEnum):
    """How an order is worked on."""

    STANDARD = "standard"
    DROP_SHIP = "drop-ship"
    CROSS_DOCK = "cross-dock"


class CartonLabelWish(StrEnum):
    """What a merchant can ask to be printed on a carton."""

    GS1 = "gs1"
    SHIPMONK_GS1 = "shipmonk_gs1"
    CUSTOMIZED_CARTON_LABELS = "customized_carton_labels"
    CUSTOM = "custom"


class LabelSource(StrEnum):
    """Where the data of a label comes from."""

    INTERNAL = "internal"
    THIRD_PARTY = "third-party-after-shipment-notification"


class PackingSlipType(StrEnum):
    """Which template a packing slip is printed from."""

    RETAILER = "retailer"


class EmbroideryType(StrEnum):
    """What is embroidered."""

    LOGO = "logo"
    TEXT = "text"
    TEXT_WITH_LOGO = "text_with_logo"
    LOGO_IDENTIFIER = "logo_identifier"
    TEXT_WITH_SYMBOL = "text_with_symbol"


class SpecialInstructionType(StrEnum):
    """What kind of instruction a line has."""

    EMBROIDERY = "embroidery"
